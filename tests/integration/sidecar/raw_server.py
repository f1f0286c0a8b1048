"""An HTTP server whose tests send every byte of an answer themselves."""

import contextlib
import hashlib
import socket
import threading
from collections.abc import Callable

Behave = Callable[[socket.socket], None]


class RawServer:
    """Accepts connections, reads each request's head, calls `behave`, and closes the connection. `heads`: the received heads."""

    def __init__(self, receive_bytes: int | None = None) -> None:
        self.heads: list[bytes] = []
        self.behave: list[Behave] = []
        self._server = socket.socket()
        if receive_bytes is not None:
            self._server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self._server.bind(("127.0.0.1", 0))
        self._server.listen()
        self.over = threading.Event()
        self.url = f"http://127.0.0.1:{self._server.getsockname()[1]}/x"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._server.accept()
                with contextlib.suppress(OSError), connection:
                    connection.settimeout(30)
                    self.heads.append(until_blank_line(connection))
                    (self.behave.pop(0) if len(self.behave) > 1 else self.behave[0])(connection)

    def close(self) -> None:
        self.over.set()
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join(30)


def until_blank_line(connection: socket.socket) -> bytes:
    """Reads a request's head, and no byte of the body."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = connection.recv(1)
        if not byte:
            raise OSError("hung up")
        head += byte
    return head


def take(connection: socket.socket, size: int) -> bytes:
    """Reads `size` bytes of a body and returns their SHA-256 digest."""
    digest, left = hashlib.sha256(), size
    while left:
        data = connection.recv(min(left, 1 << 16))
        if not data:
            raise OSError("hung up")
        digest.update(data)
        left -= len(data)
    return digest.digest()
