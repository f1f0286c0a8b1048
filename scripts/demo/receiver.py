"""The demo's servers on this machine: a file source, an upload sink and a receiver of signed events.

Owns three small HTTP servers, each on a random port and path, since they listen on addresses that containers reach.
Checks signatures with its own code and with the `standardwebhooks` package, not with jobd's.
"""

import hashlib
import hmac
import json
import secrets
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

import standardwebhooks

from scripts.cluster_daemon import SEEN_FROM_PODS, on_cluster

MAX_BODY_BYTES = 64 << 20
SEEN_FROM_JOBS = SEEN_FROM_PODS if on_cluster() else "host.docker.internal"


class Server:
    """One HTTP server in a thread. It responds to paths outside its own prefix with 404."""

    def __init__(self) -> None:
        self.prefix = f"/{secrets.token_urlsafe(16)}/"
        outer = self

        class Handler(BaseHTTPRequestHandler):
            timeout = 30
            protocol_version = "HTTP/1.1"

            def handle_one(self) -> None:
                body = _body(self)
                name = self.path.removeprefix(outer.prefix) if self.path.startswith(outer.prefix) else None
                headers = {key.lower(): value for key, value in self.headers.items()}
                status, answer = (
                    (404, b"") if name is None else outer.answer(self.command, name, headers, body)
                )
                self.send_response(status)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            do_GET = do_PUT = do_POST = handle_one  # noqa: N815 (the names are http.server's)

            def log_message(self, format: str, *args: object) -> None:
                """Logs nothing."""

        # All addresses: a container comes from the bridge's, which differs from machine to machine.
        self.server = ThreadingHTTPServer(("0.0.0.0", 0), Handler)
        self.thread = threading.Thread(
            target=self.server.serve_forever, name=type(self).__name__, daemon=True
        )

    def url(self, name: str) -> str:
        """Returns the URL of `name` for containers and jobd."""
        return f"http://{SEEN_FROM_JOBS}:{self.server.server_port}{self.prefix}{name}"

    def answer(self, method: str, name: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        """Returns the status and the body for one request; header names are in lower case."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.server.shutdown()
        self.server.server_close()


def _body(request: BaseHTTPRequestHandler) -> bytes:
    """Reads a body of known length or in chunks, up to a cap."""
    if "chunked" not in request.headers.get("Transfer-Encoding", ""):
        return request.rfile.read(min(int(request.headers.get("Content-Length") or 0), MAX_BODY_BYTES))
    body = bytearray()
    while (size := int(request.rfile.readline(64).split(b";")[0], 16)) and len(body) + size <= MAX_BODY_BYTES:
        body += request.rfile.read(size)
        request.rfile.readline(8)
    request.rfile.readline(8)
    return bytes(body)


class Source(Server):
    """Serves files, and responds to a GET of `gate` once `opened` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.files: dict[str, bytes] = {}
        self.opened = threading.Event()

    def answer(self, method: str, name: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        if name == "gate":
            return (200, b"go\n") if self.opened.wait(25) else (504, b"")
        return (200, self.files[name]) if name in self.files else (404, b"")


class Sink(Server):
    """Stores the bodies of PUT requests."""

    def __init__(self) -> None:
        super().__init__()
        self.files: dict[str, bytes] = {}

    def answer(self, method: str, name: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        if method != "PUT":
            return 405, b""
        self.files[name] = body
        return 201, b""


class Receiver(Server):
    """Accepts events whose two signatures verify, refuses others, and notifies the waiter for the last one."""

    def __init__(self, key: str) -> None:
        super().__init__()
        self.key = key
        self.events: list[dict[str, Any]] = []
        self.refused: list[str] = []
        self.complete = threading.Event()

    def answer(self, method: str, name: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        own = "sha256=" + hmac.new(self.key.encode(), body, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(headers.get("x-signature-256", ""), own):
            self.refused.append("X-Signature-256 does not verify")
            return 401, b""
        try:
            standardwebhooks.Webhook(self.key).verify(body, headers)
        except standardwebhooks.WebhookVerificationError as error:
            self.refused.append(f"Standard Webhooks: {error}")
            return 401, b""
        event = json.loads(body)
        self.events.append(event)
        if event["type"] == "orchestrator.job.complete":
            self.complete.set()
        return 204, b""
