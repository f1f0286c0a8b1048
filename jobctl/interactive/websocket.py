"""A WebSocket to the daemon: binary messages of a channel and its bytes, on a socket that never blocks.

Owns the handshake, the frames, and what is still to be sent. The caller waits for the socket, and puts little while much is unsent.

Source: RFC 6455; docs/attach.md.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from jobctl.connection.sockets import why
from jobctl.errors import ConnectionLost
from jobd.wire import channel

if TYPE_CHECKING:
    import _socket

    from jobctl.connection.client import Client, Query

READ_BYTES = 1 << 16
LONGEST_FRAME_BYTES = 1 << 20
CLOSED_EARLY = 1006
"""The code of a connection that has ended without a close."""
_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_BINARY, _CLOSE, _PING = 2, 8, 9
_WOULD_BLOCK = ("BlockingIOError", "SSLWantReadError", "SSLWantWriteError")
"""By name: `ssl` is imported for TLS alone."""


class Closed(Exception):
    """jobd has closed the connection, with this code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class WebSocket:
    """The client's side of an open WebSocket."""

    def __init__(self, connection: _socket.socket, rest: bytes) -> None:
        connection.setblocking(False)
        self._connection = connection
        self._received = rest
        self._unsent = b""

    @property
    def unsent_bytes(self) -> int:
        """How many bytes the socket has not taken yet."""
        return len(self._unsent)

    @property
    def has_more(self) -> bool:
        """True if bytes have arrived that waiting for the socket does not show."""
        pending = getattr(self._connection, "pending", None)
        return bool(pending and pending()) or self._frame() is not None

    def fileno(self) -> int:
        """Returns the socket's descriptor, for `select`."""
        return self._connection.fileno()

    def put(self, number: int, data: bytes) -> None:
        """Adds a message on a channel, to be sent by `flush`."""
        self._put(_BINARY, bytes([number]) + data)

    def flush(self) -> None:
        """Sends what the socket takes now. Raises ConnectionLost."""
        while self._unsent:
            try:
                sent = self._connection.send(self._unsent)
            except OSError as error:
                if type(error).__name__ in _WOULD_BLOCK:
                    return
                raise _lost(error) from None
            self._unsent = self._unsent[sent:]

    def receive(self) -> list[tuple[int, bytes]]:
        """Returns the messages that have arrived, by channel, after one read of the socket. Raises Closed, ConnectionLost."""
        if self._frame() is None:
            self._read()
        messages: list[tuple[int, bytes]] = []
        while (frame := self._frame()) is not None:
            opcode, start, end = frame
            payload = self._received[start:end]
            if opcode == _CLOSE and not messages:
                raise Closed(int.from_bytes(payload[:2], "big") if len(payload) > 1 else CLOSED_EARLY)
            if opcode == _CLOSE:
                break  # the next call finds it again
            self._received = self._received[end:]
            if opcode == _PING:
                self._put(_PING + 1, payload)
            elif opcode == _BINARY and payload:
                messages.append((payload[0], payload[1:]))
        return messages

    def close(self) -> None:
        """Ends the connection; jobd takes that for the client's leaving."""
        self._connection.close()

    def _read(self) -> None:
        try:
            more = self._connection.recv(READ_BYTES)
        except OSError as error:
            if type(error).__name__ in _WOULD_BLOCK:
                return
            raise _lost(error) from None
        if not more:
            raise Closed(CLOSED_EARLY)
        self._received += more

    def _frame(self) -> tuple[int, int, int] | None:
        """Returns the opcode of the first frame, and where its payload begins and ends; None while it is incomplete."""
        data = self._received
        if len(data) < 2:
            return None
        size, start = data[1] & 0x7F, 2
        if size > 125:
            start = 4 if size == 126 else 10
            if len(data) < start:
                return None
            size = int.from_bytes(data[2:start], "big")
        if data[1] & 0x80 or size > LONGEST_FRAME_BYTES:
            raise ConnectionLost("jobd sent an invalid frame")
        return (data[0] & 0x0F, start, start + size) if len(data) >= start + size else None

    def _put(self, opcode: int, payload: bytes) -> None:
        size = len(payload)
        if size < 126:
            head = bytes([0x80 | opcode, 0x80 | size])
        elif size < 1 << 16:
            head = bytes([0x80 | opcode, 0x80 | 126]) + size.to_bytes(2, "big")
        else:
            head = bytes([0x80 | opcode, 0x80 | 127]) + size.to_bytes(8, "big")
        key = os.urandom(4)
        self._unsent += head + key + _masked(payload, key)


def connect(client: Client, path: str, query: Query | None = None) -> WebSocket:
    """Opens a WebSocket. Raises as `Client.open` does; ConnectionLost: the answer is not a WebSocket's."""
    from binascii import b2a_base64
    from hashlib import sha1

    key = b2a_base64(os.urandom(16), newline=False)
    headers = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": key.decode(),
        "Sec-WebSocket-Protocol": channel.PROTOCOL,
    }
    connection, answer = client.upgrade(path, query, headers)
    expected = b2a_base64(sha1(key + _MAGIC, usedforsecurity=False).digest(), newline=False).decode()
    if answer.headers.get("sec-websocket-accept") != expected:
        connection.close()
        raise ConnectionLost("jobd's answer is not that of a WebSocket")
    return WebSocket(connection, answer.rest)


def _masked(payload: bytes, key: bytes) -> bytes:
    """Returns the payload with the mask that RFC 6455 requires of clients. As one large number: a loop would take a hundred times as long."""
    size = len(payload)
    mask = (key * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(mask, "big")).to_bytes(size, "big")


def _lost(error: OSError) -> ConnectionLost:
    return ConnectionLost(f"the connection to jobd broke: {why(error)}")
