"""One HTTP/1.1 exchange over a connected socket: sends a request, reads an answer, yields its body in blocks.

Owns the framing, and bounds what the server may send. `http.client` would import the mail parser and TLS
(docs/adr/0013-http-of-jobctl.md). There are no redirects or caches. A connection is kept only after a body with a length.

Source: RFC 9112, sections 2 to 7.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import _socket

BLOCK_BYTES = 1 << 16
LONGEST_HEAD_BYTES = 1 << 16
LONGEST_SIZE_LINE_BYTES = 1 << 10


class BadAnswer(Exception):
    """The answer is not HTTP/1.1, or was cut."""


class Answer:
    """A status, header fields by lower-case name, and a body that can be read once."""

    def __init__(self, status: int, headers: dict[str, str], rest: bytes, connection: _socket.socket) -> None:
        self.status = status
        self.headers = headers
        self.ends_connection = True
        """False once the body is read to its end and the server accepts another request."""
        self.rest = rest
        """What has arrived behind the head."""
        self._socket = connection

    def blocks(self) -> Iterator[bytes]:
        """Yields the body as it arrives, never an empty block.

        Raises:
            BadAnswer: the body was cut, or its framing is invalid.
            OSError: the connection broke; TimeoutError: nothing arrived within the socket's timeout.
        """
        if self.status in (204, 304):
            return
        if "transfer-encoding" in self.headers:
            if self.headers["transfer-encoding"].lower() != "chunked":
                raise BadAnswer("the answer has an unknown transfer encoding")
            yield from self._chunked()
        elif "content-length" in self.headers:
            yield from self._sized(self.headers["content-length"])
        else:
            yield from self._until_closed()

    def _sized(self, length: str) -> Iterator[bytes]:
        if not (length.isascii() and length.isdecimal()):
            raise BadAnswer("the answer's length is not a number")
        left = int(length)
        block = self.rest[:left]
        while left:
            if not block:
                block = self._socket.recv(min(BLOCK_BYTES, left))
                if not block:
                    raise BadAnswer("the answer was cut")
            left -= len(block)
            yield block
            block = b""
        self.ends_connection = (
            len(self.rest) > int(length) or "close" in self.headers.get("connection", "").lower()
        )

    def _until_closed(self) -> Iterator[bytes]:
        block = self.rest
        while True:
            if block:
                yield block
            block = self._socket.recv(BLOCK_BYTES)
            if not block:
                return

    def _chunked(self) -> Iterator[bytes]:
        """Yields one block a read, whatever the number of chunks in it."""
        data, left, data_ended = self.rest, 0, False
        while True:
            parts: list[bytes] = []
            position = 0
            while True:
                if left:
                    part = data[position : position + left]
                    position += len(part)
                    left -= len(part)
                    if part:
                        parts.append(part)
                    if left:
                        break
                    data_ended = True
                if data_ended:
                    if len(data) < position + 2:
                        break
                    if data[position : position + 2] != b"\r\n":
                        raise BadAnswer("a chunk of the answer has no end")
                    position += 2
                    data_ended = False
                end = data.find(b"\r\n", position)
                if end < 0:
                    if len(data) - position > LONGEST_SIZE_LINE_BYTES:
                        raise BadAnswer("a chunk of the answer has no size")
                    break
                left = _chunk_size(data[position:end])
                position = end + 2
                if not left:
                    if parts:
                        yield b"".join(parts)
                    return
            if parts:
                yield b"".join(parts)
            more = self._socket.recv(BLOCK_BYTES)
            if not more:
                raise BadAnswer("the answer was cut")
            data = data[position:] + more


def send(
    connection: _socket.socket,
    method: str,
    address: str,
    headers: Mapping[str, str],
    body: bytes | Iterable[bytes] | None,
) -> None:
    """Sends a request. A body of several blocks is sent chunked.

    Raises:
        ValueError: a header field contains a line break, or the address a blank.
        OSError: the connection broke.
    """
    fields = dict(headers)
    if isinstance(body, bytes):
        fields["Content-Length"] = str(len(body))
    elif body is not None:
        fields["Transfer-Encoding"] = "chunked"
    elif method in ("POST", "PUT"):
        fields["Content-Length"] = "0"
    lines = [f"{method} {address} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
    if any("\r" in line or "\n" in line for line in lines) or " " in address:
        raise ValueError("a request line or field must not contain a line break or blank")
    head = "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"
    if body is None or isinstance(body, bytes):
        connection.sendall(head + (body or b""))
        return
    connection.sendall(head)
    for block in body:
        if block:
            connection.sendall(b"%x\r\n%b\r\n" % (len(block), block))
    connection.sendall(b"0\r\n\r\n")


def receive(connection: _socket.socket) -> Answer:
    """Returns the answer to the sent request, with its body unread. Skips interim answers (1xx) but 101, which ends HTTP on the connection.

    Raises:
        BadAnswer: the answer is not HTTP/1.1.
        OSError: the connection broke; TimeoutError: nothing arrived within the socket's timeout.
    """
    data = b""
    while True:
        while (end := data.find(b"\r\n\r\n")) < 0:
            if len(data) > LONGEST_HEAD_BYTES:
                raise BadAnswer("the answer's head is too long")
            more = connection.recv(BLOCK_BYTES)
            if not more:
                raise BadAnswer(
                    "the connection was closed without an answer" if not data else "the answer's head was cut"
                )
            data += more
        status, headers = _head(data[:end])
        data = data[end + 4 :]
        if status >= 200 or status == 101:
            return Answer(status, headers, data, connection)


def _head(head: bytes) -> tuple[int, dict[str, str]]:
    first, *lines = head.decode("latin-1").split("\r\n")
    version, _, rest = first.partition(" ")
    number = rest[:3]
    if not version.startswith("HTTP/1.") or not (
        number.isascii() and number.isdecimal() and len(number) == 3
    ):
        raise BadAnswer("the answer is not HTTP")
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise BadAnswer("the answer's head is malformed")
        headers[name.lower()] = value.strip()
    return int(number), headers


def _chunk_size(line: bytes) -> int:
    digits = line.partition(b";")[0].strip()
    if not digits or len(digits) > 16 or digits.strip(b"0123456789abcdefABCDEF"):
        raise BadAnswer("a chunk of the answer has no size")
    return int(digits, 16)
