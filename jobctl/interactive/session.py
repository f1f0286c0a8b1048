"""One client of an attached job or of an exec: its terminal, its outputs, and how the session ends.

Owns what is shared by `run -i`, `run -t`, `attach` and `exec`. `exchange.py` moves the bytes.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from jobctl.connection.client import refusal
from jobctl.errors import ConnectionLost, EndedBySignal, Misuse
from jobctl.interactive import keys
from jobctl.interactive.exchange import Detached, Exchange, Printing, Status, size_fields
from jobctl.interactive.websocket import Closed, WebSocket
from jobctl.output import output
from jobd.wire import channel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

STDIN, STDOUT, STDERR = 0, 1, 2
NO_TERMINAL = "the input device is not a terminal, which -t with -i needs"

__all__ = ["Detached", "Session", "Status", "check_terminal"]


def check_terminal(*, stdin: bool, tty: bool) -> None:
    """Raises Misuse where a terminal is to be fed from something else, as docker does."""
    if stdin and tty and not os.isatty(STDIN):
        raise Misuse(NO_TERMINAL, hint="to feed a file or a pipe, leave -t out")


class Session:
    """`raw`: a terminal gets the bytes of a job without terminal unfiltered; `only_stderr`: all output goes to stderr. `begun` is called once
    the client is attached. `feeds`: False keeps standard input from the process.
    """

    def __init__(
        self,
        *,
        detach_keys: str | None = None,
        raw: bool = False,
        only_stderr: bool = False,
        feeds: bool = True,
        begun: Callable[[], None] = lambda: None,
    ) -> None:
        self._keys = keys.parse(keys.DEFAULT if detach_keys is None else detach_keys)
        self._raw = raw
        self._only_stderr = only_stderr
        self._feeds = feeds
        self._begun = begun
        self.is_attached = False
        """True once jobd has connected the client: from then on a lost connection may have lost bytes."""

    def run(self, socket: WebSocket) -> Status:
        """Returns the last status. The terminal is as before at the end, whatever the end is.

        Raises: Detached. ConnectionLost. Misuse: the job has a terminal, and standard input is none. JobctlError: jobd's error. As
        `Exchange.run`.
        """
        sys.stdout.flush()
        with ExitStack() as stack:
            stack.callback(socket.close)
            printing = self._printing()
            exchange = Exchange(
                socket, printing, lambda status: self._attach(status, exchange, printing, stack)
            )
            try:
                last = exchange.run()
            except Closed as closed:
                raise _closed(closed.code) from None
        if "error" in last:
            raise error_of(last["error"])
        return last

    def size(self) -> dict[str, int] | None:
        """Returns the size of the terminal as jobd takes it; None without a terminal."""
        size = _size()
        return None if size is None else size_fields(size)

    def _printing(self) -> dict[int, Printing]:
        out, err = (sys.stderr if self._only_stderr else sys.stdout), sys.stderr
        return {
            number: Printing(stream.fileno(), None if self._raw else output.terminal_filter(stream))
            for number, stream in ((channel.STDOUT, out), (channel.STDERR, err))
        }

    def _attach(
        self, status: Status, exchange: Exchange, printing: dict[int, Printing], stack: ExitStack
    ) -> None:
        self.is_attached = True
        self._begun()
        tty, stdin = bool(status["tty"]), bool(status["stdin"]) and self._feeds
        check_terminal(stdin=stdin, tty=tty)
        if tty:
            for one in printing.values():
                one.filter = None  # the job draws on the terminal itself
            wake, changed = _pipe(stack)
            stack.callback(
                signal.signal, signal.SIGWINCH, signal.signal(signal.SIGWINCH, lambda *_: changed())
            )
            if stdin:
                from jobctl.interactive.terminal import RawTerminal

                terminal = stack.enter_context(RawTerminal(STDIN, changed))
                printing[channel.STDOUT].modes = terminal.modes
            exchange.follow_size(_size, wake)
        if stdin:
            exchange.feed(STDIN, keys.DetachKeys(self._keys) if tty else None)


def _size() -> tuple[int, int] | None:
    from jobctl.interactive.terminal import size_of

    return size_of(STDOUT) or size_of(STDIN)


def _pipe(stack: ExitStack) -> tuple[int, Callable[[], None]]:
    """Returns a descriptor that becomes readable when the returned function is called, from a signal handler too."""
    reader, writer = os.pipe()
    stack.callback(os.close, reader)
    stack.callback(os.close, writer)
    os.set_blocking(reader, False)
    os.set_blocking(writer, False)

    def changed() -> None:
        try:
            os.write(writer, b"\0")
        except BlockingIOError:
            pass  # it is readable already

    return reader, changed


def _closed(code: int) -> ConnectionLost:
    if code == channel.STOPPING:
        return ConnectionLost("jobd stops and has ended the connection")
    return ConnectionLost("the connection to jobd broke")


def error_of(body: dict[str, str]) -> Exception:
    """Returns the error that jobd has reported."""
    import json

    conflicts = ("input-taken", "paused", "not-running", "command-ended")
    status = 409 if body.get("code") in conflicts else 400
    return refusal(status, json.dumps(body).encode())


@contextmanager
def leaving(hint: str) -> Iterator[None]:
    """SIGTERM and SIGHUP end jobctl in order, so that the terminal is restored; `hint` says how to come back."""

    def leave(number: int, frame: object) -> None:
        raise EndedBySignal(number, hint)

    earlier = {
        number: signal.signal(number, leave)
        for number in (signal.SIGTERM, signal.SIGHUP)
        if signal.getsignal(number) is not signal.SIG_IGN  # started by nohup
    }
    try:
        yield
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)
