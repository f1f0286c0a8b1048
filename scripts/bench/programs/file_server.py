"""A server of large files, in a process of its own, for containers on this machine: sends and receives, and measures both.

`python -m scripts.bench.programs.file_server PREFIX` prints its port. `GET /PREFIX/SIZE` sends so many bytes, `PUT /PREFIX` discards a
body, and `GET /PREFIX/seconds` responds with the seconds of each finished transfer, by method. A GET ends when the client has closed the
connection: then the client has read everything.
"""

import json
import os
import socket
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BLOCK = os.urandom(1 << 20)
STALL_S = 120
SECONDS: dict[str, list[float]] = {"GET": [], "PUT": []}
"""Of at most a few transfers: one process serves one benchmark."""


class Handler(BaseHTTPRequestHandler):
    """One connection with one request."""

    protocol_version = "HTTP/1.1"
    timeout = STALL_S
    prefix = ""

    def do_GET(self) -> None:
        name = self.path.removeprefix(f"{self.prefix}/")
        if name == self.path or not (name == "seconds" or name.isdecimal()):
            self._respond(404, b"")
        elif name == "seconds":
            self._respond(200, json.dumps(SECONDS).encode())
        else:
            self._send(int(name))

    def do_PUT(self) -> None:
        if self.path != self.prefix:
            self._respond(404, b"")
            return
        began = time.perf_counter()
        left, block = int(self.headers["Content-Length"]), memoryview(bytearray(1 << 20))
        while left:
            got = self.rfile.readinto(block[: min(left, len(block))])
            if not got:
                return
            left -= got
        SECONDS["PUT"].append(time.perf_counter() - began)
        self._respond(201, b"")

    def _send(self, size: int) -> None:
        began = time.perf_counter()
        self.send_response(200)
        self.send_header("Content-Length", str(size))
        self.send_header("Connection", "close")
        self.end_headers()
        for _ in range(size // len(BLOCK)):
            self.connection.sendall(BLOCK)
        self.connection.sendall(BLOCK[: size % len(BLOCK)])
        self.connection.shutdown(socket.SHUT_WR)
        while self.connection.recv(1 << 10):
            pass
        SECONDS["GET"].append(time.perf_counter() - began)

    def _respond(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Logs nothing."""


if __name__ == "__main__":
    Handler.prefix = f"/{sys.argv[1]}"
    # All addresses: a container comes from the bridge's, which differs from machine to machine.
    with ThreadingHTTPServer(("0.0.0.0", 0), Handler) as server:
        print(server.server_port, flush=True)
        server.serve_forever()
