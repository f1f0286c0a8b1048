"""One signed POST of one stored event, or of an array of events, and its answer.

Owns the request: target, headers, bound in time. No redirects, no proxies, no cookies. Decides nothing: `response_policy.py` says
what an answer means. No returned text shows a signing key.

Source: CloudEvents 1.0.2 HTTP binding (structured and batched mode); Standard Webhooks 1.0; RFC 9112, 3 (requests), 9.3.1 (a request that
is sent again after the receiver has closed a kept connection).
"""

import asyncio
import base64
import errno
import logging
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address
from typing import Self

import msgspec
from yarl import URL

from jobd.clock import Clock
from jobd.events.delivery.policies.response_policy import Answer
from jobd.events.http.connection import Connection, KeptConnectionClosed, NoAnswer, Outcome, Reply
from jobd.events.http.connections import Connections, Origin
from jobd.events.http.egress import EgressPolicy, EgressRefused
from jobd.wire.event import BATCH_CONTENT_TYPE, binding_lines
from jobd.wire.signing import signature_headers

USER_AGENT = "jobd"
_SHOWN_CHARACTERS = 200
_REASON_CHARACTERS = 500
"""The store keeps no more."""
_KNOWN_URL_CHARACTERS = 512
"""A longer URL is parsed each time: its parts may take nine times its size."""
_HERE = frozenset(
    {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL, errno.EAGAIN}
)
"""Errors of this machine, which say nothing about the receiver."""

_CLOSED = Answer("network", text="the connection was closed")
"""As for each request under way when the sender closes."""

log = logging.getLogger(__name__)


class Sender:
    """Sends events. Created within a running loop; ends with `close`, or as a context manager.

    `timeout_s` bounds one request from resolving the name to the answer's headers. `connections` bounds the open connections, and
    must be at least the requests at once.
    """

    def __init__(
        self,
        policy: EgressPolicy,
        clock: Clock,
        timeout_s: float = 10.0,
        connections: int = 20,
        gateway: str | None = None,
    ) -> None:
        self._clock = clock
        self._timeout_s = timeout_s
        self._connections = Connections(policy, connections, gateway)
        self._again: set[asyncio.Task[Answer]] = set()
        self._closed = False

    async def send(
        self, url: str, key: str | None, event_id: str, body: bytes, *, batch: bool = False
    ) -> Answer:
        """POSTs `body` to `url`, signed with `key` if any; with `batch`, `body` is an array of events and `event_id` the first
        event's. Returns the answer, or why there is none; raises no error of its own.
        """
        try:
            target = _target(url)
            request = self._request(target, key, event_id, body, batch)
        except (ValueError, msgspec.MsgspecError):
            return Answer("invalid", text="the callback's URL, its key or the stored event is not usable")
        try:
            reply = await self._exchange(target.origin, request)
        except OSError as error:
            return _answer(error)
        return _answer(reply)

    def try_send(
        self, url: str, key: str | None, event_id: str, body: bytes, answered: Callable[[Answer], None]
    ) -> bool:
        """POSTs one event over a connection that is open already, and calls `answered` later, once. False if no connection to the
        receiver is open, or if the request cannot be made: then nothing is sent, and `send` opens a connection or says why.

        If the receiver has closed that connection, the same request goes over a new one, in the time of the first request.
        """
        try:
            target = _target(url)
            connection = self._connections.take(target.origin)
            if connection is None:
                return False
            try:
                request = self._request(target, key, event_id, body)
            except BaseException:
                self._connections.give_back(target.origin, connection)
                raise
        except (ValueError, msgspec.MsgspecError):
            return False

        until = asyncio.get_running_loop().time() + self._timeout_s

        def ended(outcome: Outcome) -> None:
            self._connections.give_back(target.origin, connection)
            if isinstance(outcome, KeptConnectionClosed) and not self._closed:
                self._send_again(target.origin, request, until, answered)
            else:
                answered(_answer(outcome))

        connection.begin(request, self._timeout_s, ended)
        return True

    def _send_again(
        self, origin: Origin, request: bytes, until: float, answered: Callable[[Answer], None]
    ) -> None:
        """Sends the request over a new connection, in a task of its own. Calls `answered` later, once, also if `close` ends the task."""

        def ended(task: asyncio.Task[Answer]) -> None:
            self._again.discard(task)
            answered(_CLOSED if task.cancelled() else task.result())

        task = asyncio.create_task(self._answer_over_new(origin, request, until), name="send again")
        self._again.add(task)
        task.add_done_callback(ended)

    async def _answer_over_new(self, origin: Origin, request: bytes, until: float) -> Answer:
        try:
            return _answer(await self._exchange_over_new(origin, request, until))
        except OSError as error:
            return _answer(error)
        except Exception as error:  # a defect must not keep the worker
            log.exception("sending failed unexpectedly", extra={"action": "deliver"})
            return Answer("invalid", text=f"internal error: {type(error).__name__}")

    def _request(
        self, target: "_Target", key: str | None, event_id: str, body: bytes, batch: bool = False
    ) -> bytes:
        """Returns the bytes of a signed request.

        Raises:
            ValueError: a header would break the line.
            MsgspecError: the body is no event.
        """
        binding = f"Content-Type: {BATCH_CONTENT_TYPE}\r\n" if batch else binding_lines(body)
        signature = signature_headers(key, event_id, int(self._clock.now().timestamp()), body)
        return _request(target, binding, signature, body)

    async def _exchange(self, origin: Origin, request: bytes) -> Reply:
        until = asyncio.get_running_loop().time() + self._timeout_s
        connection = self._connections.take(origin)
        if connection is not None:
            try:
                return await self._exchange_over(connection, origin, request, until)
            except KeptConnectionClosed:
                pass
        return await self._exchange_over_new(origin, request, until)

    async def _exchange_over_new(self, origin: Origin, request: bytes, until: float) -> Reply:
        async with asyncio.timeout_at(until):
            try:
                connection = await self._connections.open(origin)
            except EgressRefused:
                raise
            except OSError as error:
                raise _CannotConnect(error) from error
        return await self._exchange_over(connection, origin, request, until)

    async def _exchange_over(
        self, connection: Connection, origin: Origin, request: bytes, until: float
    ) -> Reply:
        left_s = max(0.0, until - asyncio.get_running_loop().time())
        try:
            return await connection.exchange(request, left_s)
        finally:
            self._connections.give_back(origin, connection)

    async def close(self) -> None:
        """Closes all connections; requests under way get no answer. Safe to repeat."""
        self._closed = True  # a request whose connection ends now is not sent again
        for task in self._again:
            task.cancel()
        await self._connections.close()
        await asyncio.gather(*self._again, return_exceptions=True)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


class _CannotConnect(OSError):
    """There is no connection, for the reason in `cause`."""

    def __init__(self, cause: OSError) -> None:
        super().__init__(cause.errno, str(cause))
        self.cause = cause


@dataclass(frozen=True, slots=True)
class _Target:
    """A parsed callback URL: the origin, and the first lines of each request."""

    origin: Origin
    head: str


def _target(url: str) -> _Target:
    """Returns the parsed URL, from a cache for URLs of ordinary length."""
    return _known_target(url) if len(url) <= _KNOWN_URL_CHARACTERS else _parsed(url)


def _parsed(url: str) -> _Target:
    """Parses a callback's URL.

    Raises:
        ValueError: not an http(s) URL with a host, or the host only looks like an address.
    """
    parts = URL(url)
    host, port = parts.raw_host, parts.port
    if parts.scheme not in ("http", "https") or not host or not port:
        raise ValueError("not an http(s) URL with a host")
    if host.rstrip(".").rpartition(".")[2].isdecimal():
        ip_address(host)  # 127.1 and 2130706433 are addresses to some and names to others
    lines = [
        f"POST {parts.raw_path_qs} HTTP/1.1",
        f"Host: {parts.host_port_subcomponent}",
        "Accept: */*",
        "Accept-Encoding: identity",
        f"User-Agent: {USER_AGENT}",
    ]
    if parts.user is not None or parts.password is not None:
        credentials = f"{parts.user or ''}:{parts.password or ''}".encode()
        lines.append("Authorization: Basic " + base64.b64encode(credentials).decode())
    return _Target(Origin(parts.scheme == "https", host, port), "\r\n".join(lines))


_known_target = lru_cache(maxsize=1024)(_parsed)


def _request(target: _Target, lines: str, headers: dict[str, str], body: bytes) -> bytes:
    """Returns the bytes of a request. `lines`: headers with their line ends.

    Raises:
        ValueError: a header would break the line.
    """
    more = "\n".join([f"{name}: {value}" for name, value in headers.items()])
    if more.count("\n") != len(headers) - 1 or "\r" in more:
        raise ValueError("a header holds a line break")
    more = more.replace("\n", "\r\n")
    return f"{target.head}\r\n{lines}{more}\r\nContent-Length: {len(body)}\r\n\r\n".encode("ascii") + body


def _shown(reply: Reply) -> str:
    if reply.status < 300:
        return ""
    text = reply.body[: 4 * _SHOWN_CHARACTERS].decode("utf-8", "replace")
    return "".join(c if c.isprintable() else " " for c in text)[:_SHOWN_CHARACTERS].strip()


def _answer(outcome: Outcome) -> Answer:
    """Returns what the dispatcher needs to know of a reply, or why there is none."""
    if isinstance(outcome, Reply):
        return Answer("answer", outcome.status, outcome.retry_after, _shown(outcome))
    if isinstance(outcome, TimeoutError):
        return Answer("timeout", text="no answer in time")
    return _no_answer(outcome)


def _no_answer(error: OSError) -> Answer:
    if isinstance(error, EgressRefused):
        return Answer("refused", text=str(error)[:_REASON_CHARACTERS])
    if isinstance(error, NoAnswer):
        return Answer("network", text=str(error)[:_REASON_CHARACTERS])
    cause = error.cause if isinstance(error, _CannotConnect) else error
    if isinstance(cause, ssl.SSLCertVerificationError):
        return Answer(
            "network", text=f"cannot connect: certificate: {cause.verify_message}"[:_REASON_CHARACTERS]
        )
    text = f"cannot connect: {cause.strerror or cause}"[:_SHOWN_CHARACTERS]
    return Answer("local" if cause.errno in _HERE else "network", text=text)
