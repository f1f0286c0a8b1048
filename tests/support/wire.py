"""HTTP below the level of a client: raw bytes, bodies that stop, connections that only wait; a receiver with chosen answers."""

import http.client
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.support.daemon import DEADLINE_S, Answer, Daemon

BOUNDARY = "boundary-of-the-test"


def connect(daemon: Daemon) -> socket.socket:
    """Returns a TCP connection to the daemon's API."""
    at = urlsplit(daemon.http)
    return socket.create_connection((str(at.hostname), int(at.port or 80)), timeout=DEADLINE_S)


def head(method: str, path: str, **headers: str) -> bytes:
    """Returns the head of a request; `_` in a header's name means `-`. Adds Host if missing."""
    lines = {"Host": "localhost", **{name.replace("_", "-"): value for name, value in headers.items()}}
    text = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"{method} {path} HTTP/1.1\r\n{text}\r\n".encode("latin-1")


def answer_on(sock: socket.socket, method: str = "GET") -> Answer:
    """Reads one whole answer."""
    response = http.client.HTTPResponse(sock, method=method)
    response.begin()
    return Answer(response.status, response.read(), response.headers)


def exchange(daemon: Daemon, data: bytes, *, ends: bool = False) -> Answer:
    """Sends raw bytes and returns the answer; `ends`: the client closes its side afterwards."""
    with connect(daemon) as sock:
        sock.sendall(data)
        if ends:
            sock.shutdown(socket.SHUT_WR)
        return answer_on(sock)


def over_unix(path: Path, method: str, target: str, body: bytes | None = None) -> Answer:
    """One request over a Unix socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(DEADLINE_S)
        sock.connect(str(path))
        headers = {"Content_Type": "application/json", "Content_Length": str(len(body))} if body else {}
        sock.sendall(head(method, target, **headers) + (body or b""))
        return answer_on(sock)


@contextmanager
def streaming(daemon: Daemon, path: str, headers: dict[str, str] | None = None) -> Iterator[Iterator[bytes]]:
    """A GET whose non-empty lines are yielded one by one."""
    at = urlsplit(daemon.http)
    connection = http.client.HTTPConnection(str(at.hostname), at.port, timeout=DEADLINE_S)
    try:
        connection.request("GET", path, headers=headers or {})
        response = connection.getresponse()
        assert response.status == 200, response.read()
        yield (line.rstrip(b"\n") for line in response if line.strip())
    finally:
        connection.close()


def multipart(*parts: tuple[str, bytes]) -> tuple[bytes, dict[str, str]]:
    """Returns a multipart body and its headers; a part is its name and its bytes."""
    body = b"".join(
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'.encode() + data + b"\r\n"
        for name, data in parts
    )
    return body + f"--{BOUNDARY}--\r\n".encode(), {
        "Content-Type": f"multipart/form-data; boundary={BOUNDARY}"
    }


class ChoosingReceiver:
    """Answers each POST with the status that `choose` returns for its path and the number of earlier POSTs there.

    `choose` may block, for a slow receiver: each request has its own thread.
    """

    def __init__(self, choose: Callable[[str, int], int]) -> None:
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.choose = choose
        self._lock = threading.Lock()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                with receiver._lock:
                    before = sum(1 for path, _, _ in receiver.requests if path == self.path)
                    receiver.requests.append((self.path, dict(self.headers.items()), body))
                status = receiver.choose(self.path, before)
                try:
                    self.send_response(status)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                except OSError:
                    self.close_connection = True  # the sender has disconnected

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = int(self.server.server_address[1])
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def at(self, path: str) -> list[dict[str, Any]]:
        """Returns the events received at `path`, in the order of arrival."""
        with self._lock:
            return [json.loads(body) for where, _, body in self.requests if where == path]

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
