"""The HTTP server of `jobctl listen`: passes the requests to a callback, one at a time, and answers each.

Owns the bounds of bodies and connections. The callback decides on each answer, and which request is the last.
"""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import AF_INET6, SHUT_WR, socket
from socketserver import TCPServer
from typing import Any

LONGEST_BODY_BYTES = 16 << 20
READ_TIMEOUT_S = 30.0
MOST_CONNECTIONS = 32
MOST_DISCARDED_BYTES = 16 << 20
DISCARD_FOR_S = 5.0
"""How many bytes, and how long, the server reads the rest of a request that it has already answered."""


@dataclass(frozen=True, slots=True)
class Received:
    """One request: its path, headers and unchanged body."""

    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """The status of the answer. `last`: the server stops after this request."""

    status: int
    last: bool = False


class Receiver(ThreadingHTTPServer):
    """Listens on `address` as soon as it is created. Calls `handle` for one request at a time and sends its reply. An exception of `handle`
    ends `serve`.
    """

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], handle: Callable[[Received], Reply]) -> None:
        self._handle = handle
        self._one_at_a_time = threading.Lock()
        self._places = threading.BoundedSemaphore(MOST_CONNECTIONS)
        self._over = False
        self._failure: BaseException | None = None
        if ":" in address[0]:
            self.address_family = AF_INET6
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        """Binds the socket without asking a name server for the host's name."""
        TCPServer.server_bind(self)

    def serve(self) -> None:
        """Serves requests until a reply is `last`. Raises what `handle` raised."""
        self.serve_forever(poll_interval=0.1)
        if self._failure is not None:
            raise self._failure

    def answer(self, received: Received, reply: Callable[[int], None]) -> None:
        """Calls `handle` for one request and sends the answer. The request's handler calls this in its own thread."""
        with self._one_at_a_time:
            if self._over:
                reply(503)
                return
            try:
                answer = self._handle(received)
            except BaseException as error:
                self._over, self._failure = True, error
                answer = Reply(503, last=True)
            self._over = answer.last
            try:
                reply(answer.status)
            except OSError:
                pass  # the sender has closed the connection
        if answer.last:
            self.shutdown()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Starts a handler, at most `MOST_CONNECTIONS` at a time; other connections wait in the system's queue."""
        self._places.acquire()
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Runs the handler and releases its place."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignores a broken connection: the sender reports it."""


class _Handler(BaseHTTPRequestHandler):
    """Handles one request a connection, as in HTTP/1.0, so that no idle connection delays the others."""

    server: Receiver
    connection: socket
    timeout = READ_TIMEOUT_S
    server_version = "jobctl"
    sys_version = ""
    is_read = False

    def do_POST(self) -> None:
        """Reads the body and passes the request on."""
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdecimal()):
            self._reply(411)
        elif len(length) > 12 or int(length) > LONGEST_BODY_BYTES:
            self._reply(413)
        else:
            body = self.rfile.read(int(length))
            self.is_read = len(body) == int(length)
            if self.is_read:
                self.server.answer(Received(self.path, dict(self.headers.items()), body), self._reply)

    def finish(self) -> None:
        """Discards the rest of a request that was answered before its end. Closing a connection with unread bytes resets it, and the sender
        would lose the answer (RFC 9112, 9.6).
        """
        super().finish()
        if self.is_read:
            return
        until, left = time.monotonic() + DISCARD_FOR_S, MOST_DISCARDED_BYTES
        try:
            self.connection.shutdown(SHUT_WR)
            while left > 0 and (left_s := until - time.monotonic()) > 0:
                self.connection.settimeout(left_s)
                block = self.connection.recv(1 << 16)
                if not block:
                    return
                left -= len(block)
        except OSError:
            pass  # the sender has closed the connection, or sends nothing

    def _reply(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()
        self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:
        """Logs nothing: the command prints the received events."""
