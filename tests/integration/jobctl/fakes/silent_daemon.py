"""A daemon that reads requests and never answers, on a real Unix socket."""

import socket
import threading
from pathlib import Path


class SilentDaemon:
    """Accepts connections until it is closed. `asked`: how many of them have sent something."""

    def __init__(self, path: Path) -> None:
        self.asked = 0
        self._connections: list[socket.socket] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(16)
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(60)
        for connection in (self._listener, *self._connections):
            connection.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
                self._connections.append(connection)
                self.asked += bool(connection.recv(1))
            except OSError:
                return
