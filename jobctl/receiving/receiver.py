"""An HTTP server that takes events and hands each request on, one at a time: what stands behind `jobctl listen`.

Owns the HTTP side: bounded bodies, bounded connections, one answer for each request. What is made of a request is the
caller's, and so is when it is enough.
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
"""How much is read, and how long, of a request that was answered before its end."""


@dataclass(frozen=True, slots=True)
class Received:
    """One request: its path, its headers and its body as they came."""

    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """The status that is answered. `last`: no more requests are taken."""

    status: int
    last: bool = False


class Receiver(ThreadingHTTPServer):
    """Listens on `address` from its making on. `take` is called for one request at a time and says what is answered; what
    it raises ends `serve` there.
    """

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], take: Callable[[Received], Reply]) -> None:
        self._take = take
        self._one_at_a_time = threading.Lock()
        self._places = threading.BoundedSemaphore(MOST_CONNECTIONS)
        self._over = False
        self._failure: BaseException | None = None
        if ":" in address[0]:
            self.address_family = AF_INET6
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        """Binds without asking a name server what this machine is called."""
        TCPServer.server_bind(self)

    def serve(self) -> None:
        """Takes requests until `take` says that it was the last. Raises what `take` raised."""
        self.serve_forever(poll_interval=0.1)
        if self._failure is not None:
            raise self._failure

    def answer(self, received: Received, reply: Callable[[int], None]) -> None:
        """Has one request looked at and answered; called by its handler, on a thread of its own."""
        with self._one_at_a_time:
            if self._over:
                reply(503)
                return
            try:
                made = self._take(received)
            except BaseException as error:
                self._over, self._failure = True, error
                made = Reply(503, last=True)
            self._over = made.last
            try:
                reply(made.status)
            except OSError:
                pass  # the sender has left
        if made.last:
            self.shutdown()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Starts a handler where a place is free; else the connection waits in the system's queue."""
        self._places.acquire()
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Gives the place back at the end."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that broke is the sender's to report."""


class _Handler(BaseHTTPRequestHandler):
    """One request a connection, as HTTP/1.0 has it: nothing waits for a sender that keeps connections open."""

    server: Receiver
    connection: socket
    timeout = READ_TIMEOUT_S
    server_version = "jobctl"
    sys_version = ""
    is_read = False

    def do_POST(self) -> None:
        """Reads the body and has it looked at."""
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
        """Discards what still comes of a request that was answered before its end. A close with unread bytes is a reset, by which
        the sender loses the answer (RFC 9112, 9.6).
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
            pass  # the sender has left, or is silent

    def _reply(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()
        self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing: what was received is told by the command."""
