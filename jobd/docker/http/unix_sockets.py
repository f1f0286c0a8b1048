"""The SDK's transport over the engine's Unix socket, with one connection pool for all calls.

The SDK keeps a pool for each recent URL, and other calls do not reuse those connections. If a connect fails, the SDK leaves the
socket to the garbage collector. Both cost file descriptors.
"""

import socket
from typing import Any

from docker.transport.unixconn import UnixHTTPAdapter, UnixHTTPConnection, UnixHTTPConnectionPool


class OnePoolAdapter(UnixHTTPAdapter):
    """Sends all requests through one pool of up to `connections` idle connections."""

    def __init__(self, socket_path: str, timeout_s: float, connections: int) -> None:
        limit: Any = timeout_s  # the stubs accept whole seconds only
        super().__init__(f"http+unix://{socket_path}", limit, max_pool_size=connections)
        self._pool = _Pool("", socket_path, limit, maxsize=connections)

    def get_connection(self, url: Any, proxies: Any = None) -> Any:
        """Returns the one pool for every URL."""
        return self._pool

    def close(self) -> None:
        """Closes the idle connections."""
        self._pool.close()
        super().close()


class _Pool(UnixHTTPConnectionPool):
    def _new_conn(self) -> Any:
        limit: Any = self.timeout
        return _Connection(self.base_url, self.socket_path, limit)


class _Connection(UnixHTTPConnection):
    def connect(self) -> None:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.settimeout(self.timeout)
            sock.connect(self.unix_socket)
        except OSError:
            sock.close()
            raise
        self.sock = sock
