"""A proxy before the API server that reads the requests: it loses the answers to some of them. jobd speaks plain HTTP to it."""

import json
import socket
import ssl
import threading
from pathlib import Path
from types import TracebackType

from scripts.kubernetes.places import API_PORT, JOBD, KEYS

_CHUNK = 1 << 16


class LosingProxy:
    """Listens on a port of 127.0.0.1 while entered. `lose` names a request and how many of its answers are lost: the API server has
    carried the request out, and the connection ends.
    """

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._lost: dict[bytes, int] = {}
        self._tls = ssl.create_default_context(cafile=str(KEYS / "ca.crt"))
        self._lock = threading.Lock()

    def __enter__(self) -> "LosingProxy":
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.close()

    def kubeconfig(self, folder: Path) -> Path:
        """Returns a kubeconfig with jobd's own rights, by this proxy."""
        config = json.loads(JOBD.read_text())
        config["clusters"][0]["cluster"] = {"server": f"http://127.0.0.1:{self.port}"}
        path = folder / "losing.kubeconfig"
        path.write_text(json.dumps(config))
        return path

    def lose(self, request: bytes, count: int) -> None:
        """Loses the next `count` answers to requests that begin with this."""
        with self._lock:
            self._lost[request] = count

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
                plain = socket.create_connection(("127.0.0.1", API_PORT), 5)
            except OSError:
                return
            server = self._tls.wrap_socket(plain, server_hostname="127.0.0.1")
            server.settimeout(None)
            losing = threading.Event()
            threading.Thread(target=self._requests, args=(client, server, losing), daemon=True).start()
            threading.Thread(target=self._answers, args=(server, client, losing), daemon=True).start()

    def _requests(self, client: socket.socket, server: socket.socket, losing: threading.Event) -> None:
        try:
            while data := client.recv(_CHUNK):
                if self._is_lost(data):
                    losing.set()
                server.sendall(data)
        except OSError:
            pass
        _end(client, server)

    def _answers(self, server: socket.socket, client: socket.socket, losing: threading.Event) -> None:
        try:
            while data := server.recv(_CHUNK):
                if losing.is_set():
                    break
                client.sendall(data)
        except OSError:
            pass
        _end(client, server)

    def _is_lost(self, data: bytes) -> bool:
        with self._lock:
            for request, left in self._lost.items():
                if left and data.startswith(request):
                    self._lost[request] = left - 1
                    return True
        return False


def _end(*sockets: socket.socket) -> None:
    for one in sockets:
        try:
            one.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        one.close()
