"""One HTTP/1.1 connection to a receiver: one POST after the other; keeps of an answer what the response policy needs.

Owns the bytes on the wire and every bound on an answer. Knows no URL, no policy and no signature; `connections.py` opens and keeps
connections. `httptools` (llhttp) parses answers.

Source: RFC 9112, 6.3 (where an answer ends), 9.3 (persistence), 9.3.1 (requests again), 9.6 (closing).
"""

import asyncio
from collections.abc import Callable

import httptools
import msgspec

HEAD_BYTES = 32 * 1024
"""An answer's status line and headers, with any interim answers before it."""
BODY_BYTES = 4096
"""The kept bytes of a body; a connection whose answer has a longer body is not used again."""
RETRY_AFTER_BYTES = 64
"""The kept bytes of `Retry-After`: a date has 29."""
BUFFER_BYTES = 16 * 1024
"""The most bytes of one read."""
BODY_S = 1.0
"""The longest time for a body after its headers, if the connection is to be kept; the status is already known."""


class NoAnswer(ConnectionError):
    """The connection ended, or its bytes were no HTTP, before an answer's headers were complete. The text may be shown."""


class KeptConnectionClosed(NoAnswer):
    """A connection that had served an earlier request ended before any byte of this answer: the receiver may close a kept connection at
    any moment, so this says nothing of the receiver (RFC 9112, 9.3.1).
    """


class Reply(msgspec.Struct, frozen=True):
    """The receiver's answer: the first `RETRY_AFTER_BYTES` of `Retry-After` as sent, the first `BODY_BYTES` of the body."""

    status: int
    retry_after: str | None
    body: bytes


Outcome = Reply | OSError
"""An answer, or why there is none: `NoAnswer`, or TimeoutError."""


class Connection(asyncio.BufferedProtocol):
    """One connection, made by `loop.create_connection`; one exchange at a time.

    `buffer` takes the bytes of each read and keeps none of them, so all connections of an event loop may share one. Without a buffer
    of its own a read allocates 256 KiB, which costs three times as much as the read itself.

    The outcome of an exchange is a call of the requester's function, not a future: a future costs a task's wake-up and one more
    turn of the event loop. The last statement of a method here makes the call, since the requester may begin the next exchange in it.
    """

    def __init__(self, buffer: bytearray | None = None) -> None:
        self._buffer = memoryview(buffer if buffer is not None else bytearray(BUFFER_BYTES))
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        # A receiver may be a few lines of shell. jobd forwards no answer, so lenient parsing is safe.
        self._parser.set_dangerous_leniencies(
            lenient_headers=True, lenient_optional_cr_before_lf=True, lenient_spaces_after_chunk_size=True
        )
        self._ended: Callable[[Outcome], None] | None = None
        self._outcome: Outcome | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._deadline = 0.0
        self._reusable = False
        self._kept = False
        """True if this exchange is not the connection's first one."""
        self._status = 0
        self._retry_after: str | None = None
        self._received = 0
        self._in_body = False
        self._body = bytearray()
        self._body_bytes = 0
        self.idle_since = 0.0

    @property
    def reusable(self) -> bool:
        """True if the last answer was read to its end and both sides keep the connection open."""
        return self._reusable

    def begin(self, request: bytes, timeout_s: float, ended: Callable[[Outcome], None]) -> None:
        """Sends one whole request. Calls `ended` once, later: with the answer once its status and the kept part of its body are known;
        with `NoAnswer` if the receiver sends none, with TimeoutError if no headers come within `timeout_s`.
        """
        assert self._ended is None, "one exchange at a time"
        self._kept, self._reusable = self._reusable, False
        self._status = self._received = self._body_bytes = 0
        if self._transport is None or self._transport.is_closing():
            self._loop.call_soon(ended, self._closed(None))
            return
        self._ended = ended
        self._retry_after = None
        self._in_body = False
        self._body.clear()
        self._wait_until(self._loop.time() + timeout_s)
        self._transport.write(request)

    def exchange(self, request: bytes, timeout_s: float) -> asyncio.Future[Reply]:
        """Sends one whole request, as `begin` does. Cancelling the future closes the connection.

        Raises, by the future:
            NoAnswer: the receiver sends no answer.
            TimeoutError: no headers within `timeout_s`.
        """
        future: asyncio.Future[Reply] = self._loop.create_future()

        def ended(outcome: Outcome) -> None:
            if future.done():
                return
            if isinstance(outcome, Reply):
                future.set_result(outcome)
            else:
                future.set_exception(outcome)

        self.begin(request, timeout_s, ended)
        future.add_done_callback(lambda done: self.close() if done.cancelled() else None)
        return future

    def close(self) -> None:
        """Closes the connection; a request under way gets no answer. Safe to repeat."""
        self._fail(NoAnswer("the connection was closed"))
        self._report()

    # Below: called by the transport.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Source: Python documentation, `asyncio.BaseProtocol`."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def get_buffer(self, sizehint: int) -> memoryview:
        """Source: Python documentation, `asyncio.BufferedProtocol`, as the next one."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """The buffer begins with the next bytes from the receiver."""
        self.received(self._buffer[:nbytes])

    def received(self, data: bytes | memoryview) -> None:
        """Takes the next bytes from the receiver."""
        if self._ended is None:
            self._end()  # no request waits for these bytes
            return
        self._received += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._answer(whole=False)
        except httptools.HttpParserError as error:
            if self._status:
                self._answer(whole=False)
            else:
                self._fail(NoAnswer(f"not an HTTP answer: {' '.join(str(error).split())[:200]}"))
        if self._outcome is None:
            self._bound()
        self._report()

    def _bound(self) -> None:
        """Bounds the size and the time of the rest of the answer."""
        if self._status:
            if self._received > HEAD_BYTES + 2 * BODY_BYTES:
                self._answer(whole=False)  # chunk extensions and trailers count too
            elif not self._in_body:
                self._in_body = True
                self._wait_until(min(self._deadline, self._loop.time() + BODY_S))
        elif self._received > HEAD_BYTES:
            self._fail(NoAnswer("not an HTTP answer: its headers are too long"))

    def connection_lost(self, error: Exception | None) -> None:
        """Source: Python documentation, `asyncio.BaseProtocol`."""
        self._transport = None
        self._reusable = False
        if self._status:
            self._answer(whole=False)
        else:
            self._fail(self._closed(error))
        self._report()

    def _closed(self, error: Exception | None) -> NoAnswer:
        if error is not None:
            why = f"{type(error).__name__}: {error}"[:200]
        else:
            why = "the receiver closed the connection without an answer"
        return KeptConnectionClosed(why) if self._kept and not self._received else NoAnswer(why)

    # Below: called by the parser.

    def on_message_begin(self) -> None:
        """Source: httptools, `HttpResponseParser`, as those below."""
        if self._outcome is not None:
            self._end()  # a second answer to one request

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header, with its name as sent."""
        if self._retry_after is None and len(name) == 11 and name.lower() == b"retry-after":
            self._retry_after = value[:RETRY_AFTER_BYTES].decode("latin-1")

    def on_headers_complete(self) -> None:
        """The status is known."""
        status = self._parser.get_status_code()
        if 100 <= status < 200 and status != 101:
            self._retry_after = None  # an interim answer: the final one follows
            return
        if status < 100:
            raise ValueError("not a status")
        self._status = status

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        if self._body_bytes < BODY_BYTES:
            self._body += body[: BODY_BYTES - self._body_bytes]
        self._body_bytes += len(body)

    def on_message_complete(self) -> None:
        """The answer is complete by its own framing."""
        if self._status:
            self._answer(whole=self._body_bytes <= BODY_BYTES and self._parser.should_keep_alive())

    # Below: how an exchange ends.

    def _answer(self, whole: bool) -> None:
        """The answer is known; the first outcome counts."""
        transport = self._transport
        # A receiver may answer before it has read everything, and then never read the rest.
        sent = transport is not None and not transport.get_write_buffer_size()
        self._reusable = whole and self._outcome is None and self._ended is not None and sent
        if self._outcome is None:
            self._outcome = Reply(self._status, self._retry_after, bytes(self._body))
        if not self._reusable:
            self._end()

    def _fail(self, error: OSError) -> None:
        if self._outcome is None:
            self._outcome = error
        self._end()

    def _report(self) -> None:
        """Gives the outcome, if there is one, to the requester, who may begin the next exchange at once."""
        ended, outcome = self._ended, self._outcome
        if outcome is None:
            return
        self._ended = self._outcome = None
        if ended is not None:
            ended(outcome)

    def _wait_until(self, deadline: float) -> None:
        """Sets the time for what comes next. A timer that is set for an earlier time stays: it looks at the deadline again, so that an
        ordinary exchange sets no timer.
        """
        self._deadline = deadline
        if self._timer is None:
            self._timer = self._loop.call_at(deadline, self._timed_out)
        elif deadline < self._timer.when():
            self._timer.cancel()
            self._timer = self._loop.call_at(deadline, self._timed_out)

    def _timed_out(self) -> None:
        self._timer = None
        if self._ended is None:
            return
        if self._loop.time() < self._deadline:
            self._wait_until(self._deadline)
        elif self._status:
            self._answer(whole=False)
        else:
            self._fail(TimeoutError())
        self._report()

    def _end(self) -> None:
        self._reusable = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._transport is not None:
            self._transport.abort()  # the rest of the request is of no use
