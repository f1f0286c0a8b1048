"""Requests to a Unix socket at a given concurrency, with as little work as possible, so that the server is measured.

Each connection sends its next request once the response to the one before is complete. Responses have a Content-Length.
"""

import asyncio
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

OK, ACCEPTED = b"HTTP/1.1 200", b"HTTP/1.1 202"
LIMIT_S = 60.0


class LoadFailed(Exception):
    """A server did not respond to a request as expected."""


async def requests_per_s(socket: Path, targets: Sequence[str], connections: int) -> float:
    """Returns the rate at which the server responds to one GET of each target.

    Raises:
        LoadFailed: a response is no 200, or the server closes a connection. TimeoutError.
    """
    requests = [f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode() for target in targets]
    return await _rate(socket, requests, connections, OK)


async def posts_per_s(socket: Path, path: str, bodies: Sequence[object], connections: int) -> float:
    """Returns the rate at which the server accepts one POST of each body. Raises as `requests_per_s` does, where a response is no 202."""
    requests = []
    for body in map(json.dumps, bodies):
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
        requests.append(f"{head}\r\n\r\n{body}".encode())
    return await _rate(socket, requests, connections, ACCEPTED)


async def _rate(socket: Path, requests: Sequence[bytes], connections: int, expected: bytes) -> float:
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()
    running = _Running(iter(requests), len(requests), done, expected)
    transports = [
        (await loop.create_unix_connection(lambda: _Connection(running), str(socket)))[0]
        for _ in range(connections)
    ]
    try:
        began = loop.time()
        for transport in transports:
            protocol = transport.get_protocol()
            assert isinstance(protocol, _Connection)
            protocol.send_next()
        async with asyncio.timeout(LIMIT_S):
            await done
        return len(requests) / (loop.time() - began)
    finally:
        for transport in transports:
            transport.close()


class _Running:
    """The requests that are not sent yet, and the number of responses that are missing."""

    def __init__(
        self, left: Iterator[bytes], missing: int, done: asyncio.Future[None], expected: bytes
    ) -> None:
        self.left, self.missing, self.done, self.expected = left, missing, done, expected

    def responded(self) -> None:
        self.missing -= 1
        if self.missing == 0 and not self.done.done():
            self.done.set_result(None)

    def fail(self, why: str) -> None:
        if not self.done.done():
            self.done.set_exception(LoadFailed(why))


class _Connection(asyncio.Protocol):
    def __init__(self, running: _Running) -> None:
        self._running = running
        self._got = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def send_next(self) -> None:
        if (request := next(self._running.left, None)) is not None:
            self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._got += data
        end = self._got.find(b"\r\n\r\n")
        if end < 0:
            return
        head = bytes(self._got[:end])
        _, _, length = head.lower().partition(b"\r\ncontent-length:")
        if len(self._got) < end + 4 + int(length.partition(b"\r\n")[0] or 0):
            return
        self._got.clear()
        if not head.startswith(self._running.expected):
            self._running.fail(f"the server responded {head[:60]!r}")
            return
        self._running.responded()
        self.send_next()

    def connection_lost(self, error: Exception | None) -> None:
        self._running.fail(f"the server closed a connection: {error}")
