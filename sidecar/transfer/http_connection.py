"""urllib3's connections with two additions.

All interim answers (1xx) are skipped; the standard library skips only 100. And `unacknowledged_bytes` is the number of bytes of the
request that the server's system had not received when the answer arrived.

Source: RFC 9110, "Informational 1xx"; tcp(7), SIOCOUTQ; RFC 9293: each segment acknowledges what was received before it.
"""

import fcntl
import http.client
import socket
import sys
import termios

from urllib3 import PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.response import BaseHTTPResponse, HTTPResponse

_SWITCHING_PROTOCOLS = 101


class _FinalResponse(http.client.HTTPResponse):
    def _read_status(self) -> tuple[str, int, str]:
        while True:
            version, status, reason = super()._read_status()  # type: ignore[misc]  # not in the stubs
            if not 100 <= status < 200 or status == _SWITCHING_PROTOCOLS:
                return version, status, reason
            http.client.parse_headers(self.fp)


class _Plain(HTTPConnection):
    response_class = _FinalResponse
    unacknowledged_bytes = 0

    def getresponse(self) -> HTTPResponse:  # type: ignore[override]  # as urllib3's own
        used = self.sock  # the connection drops its socket where the server will close it
        response = super().getresponse()
        self.unacknowledged_bytes = _unacknowledged(used)
        return response


class _Secure(HTTPSConnection):
    response_class = _FinalResponse
    unacknowledged_bytes = 0

    def getresponse(self) -> HTTPResponse:  # type: ignore[override]  # as urllib3's own
        used = self.sock
        response = super().getresponse()
        self.unacknowledged_bytes = _unacknowledged(used)
        return response


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _Plain


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _Secure


def pool_manager(chunk_bytes: int) -> PoolManager:
    """Returns a pool of these connections, one a host, without retries and redirects."""
    manager = PoolManager(num_pools=4, maxsize=1, retries=False, blocksize=chunk_bytes)
    manager.pool_classes_by_scheme = {"http": _PlainPool, "https": _SecurePool}
    return manager


def unacknowledged_bytes(response: BaseHTTPResponse) -> int:
    """Returns how many bytes of the request the server had not received when it answered. Call this before reading the body."""
    connection = response.connection
    return connection.unacknowledged_bytes if isinstance(connection, _Plain | _Secure) else 0


def _unacknowledged(used: socket.socket | None) -> int:
    if used is None or used.fileno() < 0:
        return 0
    try:
        # SIOCOUTQ has the same number as TIOCOUTQ.
        return int.from_bytes(fcntl.ioctl(used.fileno(), termios.TIOCOUTQ, bytes(4)), sys.byteorder)
    except OSError:
        return 0
