"""Misbehaving receivers of callbacks, each a real server on loopback; a function of the socket sends the answer."""

import contextlib
import re
import socket
import struct
import threading
import time
from collections.abc import Callable

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_ID = re.compile(rb"^webhook-id: *(\S+)", re.IGNORECASE | re.MULTILINE)

Answer = Callable[[socket.socket, int], None]


class Misbehaving:
    """Reads each request whole, keeps its id and time, calls `answer(connection, requests before)`, and closes the connection."""

    def __init__(self, answer: Answer, host: str = "127.0.0.1", port: int = 0) -> None:
        self.ids: list[str] = []
        self.at: list[float] = []
        self.answer = answer
        self.over = threading.Event()
        self._server = socket.create_server((host, port))
        self.port = int(self._server.getsockname()[1])
        self.url = f"http://{host}:{self.port}/"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._server.accept()
                threading.Thread(target=self._one, args=(connection,), daemon=True).start()

    def _one(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            connection.settimeout(60)
            data = b""
            while b"\r\n\r\n" not in data:
                if not (more := connection.recv(65536)):
                    return
                data += more
            head, _, body = data.partition(b"\r\n\r\n")
            length = _LENGTH.search(head)
            while length and len(body) < int(length[1]):
                body += connection.recv(65536)
            name = _ID.search(head)
            before = len(self.ids)
            self.at.append(time.monotonic())
            self.ids.append(name[1].decode() if name else "")
            self.answer(connection, before)

    def close(self) -> None:
        self.over.set()
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()


def says(status: int, *headers: str) -> Answer:
    """A whole answer without a body."""
    lines = [f"HTTP/1.1 {status} Said", "Content-Length: 0", "Connection: close", *headers]
    data = ("\r\n".join(lines) + "\r\n\r\n").encode()
    return lambda connection, before: connection.sendall(data)


def then(first: Answer, count: int, rest: Answer) -> Answer:
    """`first` for the first `count` requests, `rest` from then on."""
    return lambda connection, before: (first if before < count else rest)(connection, before)


def endless(connection: socket.socket, before: int) -> None:
    """A success whose body never ends."""
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        connection.sendall(b"x" * 65536)


def reset_after_status(connection: socket.socket, before: int) -> None:
    """The status line, then a reset."""
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def silent(connection: socket.socket, before: int) -> None:
    """No answer until the sender disconnects."""
    connection.settimeout(None)
    while connection.recv(1024):
        pass
