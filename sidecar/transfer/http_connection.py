"""The connections of the sidecar's HTTP client: urllib3's, and two things more.

Interim answers (1xx) are waited out, all of them: the standard library does so with 100 alone and takes the others for the answer. And when
the answer has come, `unacknowledged_bytes` of the request are those that the other end's system had not received: what it says of them
it cannot know.

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
        used = self.sock  # the connection forgets it where the other end will close
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
    """Returns a pool of such connections, one a host; nothing is retried or redirected by it."""
    made = PoolManager(num_pools=4, maxsize=1, retries=False, blocksize=chunk_bytes)
    made.pool_classes_by_scheme = {"http": _PlainPool, "https": _SecurePool}
    return made


def unacknowledged_bytes(response: BaseHTTPResponse) -> int:
    """Returns how much of the request had not arrived when this answer to it came. To be asked before the body is read."""
    connection = response.connection
    return connection.unacknowledged_bytes if isinstance(connection, _Plain | _Secure) else 0


def _unacknowledged(used: socket.socket | None) -> int:
    if used is None or used.fileno() < 0:
        return 0
    try:
        # SIOCOUTQ has the terminal's number for the same.
        return int.from_bytes(fcntl.ioctl(used.fileno(), termios.TIOCOUTQ, bytes(4)), sys.byteorder)
    except OSError:
        return 0
