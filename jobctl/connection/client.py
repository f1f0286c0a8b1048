"""HTTP requests to the daemon over its Unix socket or TCP, each with a timeout: one connection a request, except after `keep`.

Owns the translation of socket errors, HTTP errors and the daemon's error answers into `jobctl.errors`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from jobctl.connection import http1
from jobctl.connection.http1 import Answer
from jobctl.connection.sockets import connected, why
from jobctl.errors import Conflict, ConnectionLost, JobctlError, NotAllowed, NotFound, Refused, Unreachable

if TYPE_CHECKING:
    import _socket

    from jobctl.connection.config import Target


ANSWER_TIMEOUT_S = 60.0
SILENCE_TIMEOUT_S = 90.0
"""A followed stream counts as broken when the daemon sends nothing for this long, not even a keep-alive."""
LONGEST_ANSWER_BYTES = 64 << 20
LONGEST_ERROR_BYTES = 1 << 16
_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
"""Source: RFC 3986, section 2.3."""

Query = Mapping[str, object]


class Client:
    """Sends requests to the first of `targets` that accepts a connection, and to no other one after that. If none accepts and `targets` is a
    sequence, the next request tries all of them again.
    """

    def __init__(self, targets: Iterable[Target]) -> None:
        self._candidates = targets
        self._target: Target | None = None
        self._kept: list[_socket.socket] = []
        """Connections for the next requests that can be repeated, usually one."""
        self.has_unanswered_request = False
        """True from the begin of a request that changes something until its answer."""

    @property
    def target(self) -> Target | None:
        """The target that accepted the last connection."""
        return self._target

    def get(self, path: str, query: Query | None = None) -> bytes:
        """Returns the body of a GET. Raises as `open` does."""
        return self.call("GET", path, query)

    def call(
        self,
        method: str,
        path: str,
        query: Query | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout_s: float = ANSWER_TIMEOUT_S,
    ) -> bytes:
        """Returns the body of a successful answer. `body` is JSON. Raises as `open` does."""
        with self.open(method, path, query, body, headers, timeout_s) as response:
            return read_all(response, LONGEST_ANSWER_BYTES)

    @contextmanager
    def open(
        self,
        method: str,
        path: str,
        query: Query | None = None,
        body: bytes | Iterable[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout_s: float = ANSWER_TIMEOUT_S,
        also: tuple[int, ...] = (),
        keep: bool = False,
    ) -> Iterator[Answer]:
        """Gives the answer with its body unread, where the answer is a success or its status is in `also`. `timeout_s` bounds each read.
        `keep`: the next request that can be repeated, a GET or one with an idempotency key, uses the same connection, if this answer is
        read to its end.

        Raises:
            Unreachable: no daemon accepts the connection.
            ConnectionLost: the connection broke before the answer.
            NotFound, NotAllowed, Conflict, Refused: the daemon refuses the request.
        """
        sent = {**(headers or {}), **({} if keep else {"Connection": "close"})}
        connection, response = self._exchange(method, path, query, body, sent, timeout_s)
        keeps = False
        try:
            if response.status >= 300 and response.status not in also:
                raise self._located(refusal(response.status, read_all(response, LONGEST_ERROR_BYTES)))
            yield response
            keeps = keep and not response.ends_connection
        finally:
            if keeps:
                self._kept.append(connection)
            else:
                connection.close()

    def _located(self, error: JobctlError) -> JobctlError:
        """Returns the error; a refused key has the address of the daemon, since each daemon has its own key."""
        if isinstance(error, NotAllowed) and self._target is not None:
            error.message = f"jobd at {self._target}: {error.message}"
            if self._target.key and error.hint == _HINTS[401]:
                error.hint = f"jobctl sent a key that is not the one of this jobd; {_HINTS[401]}"
        return error

    def upgrade(
        self, path: str, query: Query | None, headers: Mapping[str, str]
    ) -> tuple[_socket.socket, Answer]:
        """Returns a connection on which jobd has answered 101, and that answer. Raises as `open` does."""
        connection = self._connect()
        try:
            response = self._send(connection, "GET", path, query, None, headers, ANSWER_TIMEOUT_S)
            if response.status != 101:
                raise refusal(response.status, read_all(response, LONGEST_ERROR_BYTES))
            return connection, response
        except BaseException:
            connection.close()
            raise

    def _exchange(
        self,
        method: str,
        path: str,
        query: Query | None,
        body: bytes | Iterable[bytes] | None,
        headers: Mapping[str, str],
        timeout_s: float,
    ) -> tuple[_socket.socket, Answer]:
        """Returns the connection and the answer. A kept connection may have been closed by jobd: then a request that can be repeated is
        sent again on a new one.
        """
        can_repeat = method == "GET" or ("Idempotency-Key" in headers and isinstance(body, bytes))
        if can_repeat and (kept := self._pop_kept()):
            try:
                return kept, self._send(kept, method, path, query, body, headers, timeout_s)
            except ConnectionLost:
                kept.close()
        connection = self._connect()
        try:
            return connection, self._send(connection, method, path, query, body, headers, timeout_s)
        except BaseException:
            connection.close()
            raise

    def close_kept(self) -> bool:
        """Closes a kept connection; returns False where there is none."""
        kept = self._pop_kept()
        if kept is None:
            return False
        kept.close()
        return True

    def _pop_kept(self) -> _socket.socket | None:
        try:
            return self._kept.pop()  # one call: threads share a client
        except IndexError:
            return None

    def _send(
        self,
        connection: _socket.socket,
        method: str,
        path: str,
        query: Query | None,
        body: bytes | Iterable[bytes] | None,
        headers: Mapping[str, str],
        timeout_s: float,
    ) -> Answer:
        connection.settimeout(timeout_s)
        host = self._target.authority if self._target is not None else "localhost"
        sent = {"Host": host, "Accept": "application/json", **headers}
        if isinstance(body, bytes):
            sent.setdefault("Content-Type", "application/json")
        if self._target is not None and self._target.key:
            sent["Authorization"] = f"Bearer {self._target.key}"
        pairs = "&".join(f"{name}={quoted(value)}" for name, value in _pairs(query or {}))
        address = f"{path}?{pairs}" if pairs else path
        try:
            self.has_unanswered_request = method != "GET"
            try:
                http1.send(connection, method, address, sent, body)
            except (BrokenPipeError, ConnectionResetError):
                if isinstance(body, bytes | None):
                    raise  # during an upload the daemon may have refused it early: read its answer
            answer = http1.receive(connection)
            self.has_unanswered_request = False
            return answer
        except TimeoutError:
            raise ConnectionLost(f"jobd at {self._target} did not answer within {timeout_s:g} s") from None
        except (http1.BadAnswer, OSError) as error:
            raise ConnectionLost(f"the connection to jobd at {self._target} broke: {why(error)}") from None

    def _connect(self) -> _socket.socket:
        if self._target is not None:
            return connected(self._target)
        failures: list[Unreachable | NotAllowed] = []
        for target in self._candidates:
            try:
                connection = connected(target)
            except (Unreachable, NotAllowed) as error:
                # NotAllowed: after su, the environment still names another user's folder.
                failures.append(error)
                continue
            self._target = target
            return connection
        refused = [error for error in failures if error.code != "daemon-unreachable"]
        raise (refused or failures)[0]


def job_path(job_id: str, *rest: str) -> str:
    """Returns the path of a job's resource: `/v1/jobs/<id>/<rest>`."""
    return "/".join(["/v1/jobs", quoted(job_id), *rest])


def quoted(text: str) -> str:
    """Returns a text for a path or query, percent-encoded."""
    return "".join(chr(byte) if byte in _UNRESERVED else f"%{byte:02X}" for byte in text.encode())


def read_all(response: Answer, longest_bytes: int) -> bytes:
    """Returns the rest of a body.

    Raises:
        ConnectionLost: the body was cut, or is longer than `longest_bytes`.
    """
    blocks: list[bytes] = []
    size = 0
    for block in read_blocks(response):
        blocks.append(block)
        size += len(block)
        if size > longest_bytes:
            raise ConnectionLost(
                f"jobd's answer is longer than {longest_bytes >> 20} MiB", hint="--limit requests fewer jobs"
            )
    return b"".join(blocks)


def read_blocks(response: Answer) -> Iterator[bytes]:
    """Yields the body as it arrives, at most 64 KiB at a time.

    Raises:
        ConnectionLost: the body was cut, or nothing arrived within the request's timeout.
    """
    blocks = response.blocks()
    while True:
        try:
            block = next(blocks, None)
        except TimeoutError:
            raise ConnectionLost("jobd sent nothing within the timeout") from None
        except (http1.BadAnswer, OSError) as error:
            raise ConnectionLost(f"the connection to jobd broke: {why(error)}") from None
        if block is None:
            return
        yield block


def refusal(status: int, body: bytes) -> JobctlError:
    """Returns the error for an answer that is no success.

    Source: jobd/api/respond.py.
    """
    import json

    message, code, field = f"jobd answered with status {status}", f"http-{status}", None
    try:
        tree = json.loads(body)
    except ValueError:
        tree = None
    if isinstance(tree, dict) and isinstance(tree.get("error"), str):
        message, field = tree["error"], tree.get("field")
        code = str(tree.get("code") or code)
    kind = {401: NotAllowed, 403: NotAllowed, 404: NotFound, 409: Conflict}.get(status, Refused)
    error = kind(
        message, field=field if isinstance(field, str) and field else None, hint=_HINTS.get(status), code=code
    )
    if isinstance(error, Refused):
        error.transient = status in (502, 503, 504)
    return error


_HINTS = {
    401: "set JOBCTL_API_KEY_FILE to the file that holds the daemon's key",
    429: "wait until jobs have ended (jobctl ls), then submit again",
    503: "run: jobctl doctor",
    507: "free some disk space, then submit again; see: jobctl doctor",
}


def _pairs(query: Query) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    for name, value in query.items():
        values: Iterable[Any] = value if isinstance(value, list | tuple) else [value]
        pairs.extend((name, str(int(v) if isinstance(v, bool) else v)) for v in values if v is not None)
    return pairs
