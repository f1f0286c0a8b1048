"""The SDK's way to the engine's Unix socket, with one pool for all calls.

The SDK itself keeps a pool for each URL that was asked for lately: connections that no other call finds again. And a connection
that could not be made leaves its socket to the garbage collector. Both cost file descriptors.
"""

import socket
from typing import Any

from docker.transport.unixconn import UnixHTTPAdapter, UnixHTTPConnection, UnixHTTPConnectionPool


class OnePoolAdapter(UnixHTTPAdapter):
    """Sends everything through one pool of up to `connections` kept connections."""

    def __init__(self, socket_path: str, timeout_s: float, connections: int) -> None:
        limit: Any = timeout_s  # the stubs know whole seconds alone
        super().__init__(f"http+unix://{socket_path}", limit, max_pool_size=connections)
        self._pool = _Pool("", socket_path, limit, maxsize=connections)

    def get_connection(self, url: Any, proxies: Any = None) -> Any:
        """Returns the pool, whatever is asked for."""
        return self._pool

    def close(self) -> None:
        """Closes the kept connections."""
        self._pool.close()
        super().close()


class _Pool(UnixHTTPConnectionPool):
    def _new_conn(self) -> Any:
        limit: Any = self.timeout
        return _Connection(self.base_url, self.socket_path, limit)


class _Connection(UnixHTTPConnection):
    def connect(self) -> None:
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            made.settimeout(self.timeout)
            made.connect(self.unix_socket)
        except OSError:
            made.close()
            raise
        self.sock = made
