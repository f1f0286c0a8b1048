"""The servers around jobd: receivers of events with different behaviours, and the file server for jobs.

Owns the HTTP servers and records what they receive. Checks only signatures.
"""

import base64
import contextlib
import hashlib
import hmac
import io
import json
import secrets
import socket
import struct
import tarfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.soak.kinds import KEY, Addresses
from tests.soak.records import Arrival, Records

BEHAVIOURS = ("good", "flaky", "slow", "resets")
SLOW_S = 1.0
MAX_BODY_BYTES = 8 << 20


class Server(ThreadingHTTPServer):
    """One threaded HTTP server. `answer` gets the handler and the body, and responds to the request."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, host: str, answer: Callable[[BaseHTTPRequestHandler, bytes], None]) -> None:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 60

            def take(self) -> None:
                try:
                    answer(self, _body(self))
                except OSError:
                    self.close_connection = True  # the client has disconnected

            do_GET = do_PUT = do_POST = take  # noqa: N815 - the names are http.server's

            def log_message(self, *_: object) -> None:
                pass

        super().__init__((host, 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignores connections that end within a request: they are part of the soak."""

    def close(self) -> None:
        self.shutdown()
        self.server_close()


def _body(request: BaseHTTPRequestHandler) -> bytes:
    if "chunked" not in request.headers.get("Transfer-Encoding", ""):
        return request.rfile.read(min(int(request.headers.get("Content-Length") or 0), MAX_BODY_BYTES))
    body = bytearray()
    while (size := int(request.rfile.readline(64).split(b";")[0], 16)) and len(body) + size <= MAX_BODY_BYTES:
        body += request.rfile.read(size)
        request.rfile.readline(8)
    request.rfile.readline(8)
    return bytes(body)


def _reply(request: BaseHTTPRequestHandler, status: int, body: bytes = b"") -> None:
    request.send_response(status)
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    request.wfile.write(body)


class Servers:
    """All servers. `quiet`: from then on every receiver except the dead one accepts everything."""

    def __init__(self, records: Records, now: Callable[[], float]) -> None:
        self.quiet = False
        self._records, self._now = records, now
        self._lock = threading.Lock()
        self._sent: Counter[str] = Counter()
        self._started: Counter[str] = Counter()
        self._prefix = f"/{secrets.token_urlsafe(12)}"
        self._archive = _archive()
        self._files = Server("0.0.0.0", self._serve_file)  # containers reach it through the bridge
        self._receivers = {name: Server("127.0.0.1", self._taker(name)) for name in BEHAVIOURS}
        # A port that is bound but not listening: it refuses connections, and no other process gets it.
        self._dead = socket.socket()
        self._dead.bind(("127.0.0.1", 0))

    def addresses(self, *api_ports: int) -> Addresses:
        """Returns the addresses of the servers."""
        callbacks = {
            name: f"http://127.0.0.1:{server.server_port}/" for name, server in self._receivers.items()
        }
        callbacks["dead"] = f"http://127.0.0.1:{self._dead.getsockname()[1]}/"
        return Addresses(self._files.server_port, self._prefix, callbacks, api_ports)

    def close(self) -> None:
        for server in (self._files, *self._receivers.values()):
            server.close()
        self._dead.close()

    def _serve_file(self, request: BaseHTTPRequestHandler, body: bytes) -> None:
        if not request.path.startswith(self._prefix + "/"):
            return _reply(request, 404)
        what, _, name = request.path.removeprefix(self._prefix + "/").partition("/")
        if request.command == "GET" and what == "data.tar.gz":
            return _reply(request, 200, self._archive)
        if request.command == "GET" and what == "started":
            self._records.reports.append((self._now(), name))
            return _reply(request, 200)
        if request.command == "PUT" and what == "put":
            self._records.uploads[name] = (self._now(), body.decode(errors="replace"))
            return _reply(request, 201)
        return _reply(request, 403 if what == "refused" else 404)

    def _taker(self, name: str) -> Callable[[BaseHTTPRequestHandler, bytes], None]:
        def take(request: BaseHTTPRequestHandler, body: bytes) -> None:
            key = hashlib.sha256(body).hexdigest()
            with self._lock:
                self._sent[key] += 1
                # One of three first tries fails, then one of three second tries, and so on.
                bad = not self.quiet and int(key[self._sent[key] % 32], 16) < 5
            if name == "slow" and not self.quiet:
                time.sleep(SLOW_S)
            taken = not (bad and name in ("flaky", "resets"))
            for arrival in _arrivals(name, self._now(), request, body, taken):
                self._records.arrivals.append(arrival)
            if taken:
                _reply(request, 204)
            elif name == "flaky":
                _reply(request, 500)
            else:
                with contextlib.suppress(OSError):
                    linger = struct.pack("ii", 1, 0)  # the end of the connection is a reset
                    request.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                request.close_connection = True

        return take


def _arrivals(
    receiver: str, at_s: float, request: BaseHTTPRequestHandler, body: bytes, taken: bool
) -> list[Arrival]:
    verified = is_signed(KEY, {name.lower(): value for name, value in request.headers.items()}, body)
    tree = json.loads(body)
    return [
        Arrival(
            at_s=at_s,
            receiver=receiver,
            job_id=str(event["subject"]),
            event_id=str(event["id"]),
            type=str(event["type"]).rpartition(".")[2],
            sequence=event.get("jobsequence"),
            digest=hashlib.sha256(json.dumps(event, sort_keys=True).encode()).hexdigest(),
            verified=verified and request.path == f"/{event['subject']}",
            taken=taken,
            data=event["data"],
        )
        for event in (tree if isinstance(tree, list) else [tree])
    ]


def is_signed(key: str, headers: dict[str, str], body: bytes) -> bool:
    """Returns whether both signatures of a request match its body. Independent of jobd's own code.

    Ignores the age of the timestamp: faults set jobd's wall clock forward and back.
    """
    own = "sha256=" + hmac.new(key.encode(), body, hashlib.sha256).hexdigest()
    signed = f"{headers.get('webhook-id')}.{headers.get('webhook-timestamp')}.".encode() + body
    raw = base64.b64decode(key.removeprefix("whsec_"))
    other = "v1," + base64.b64encode(hmac.new(raw, signed, hashlib.sha256).digest()).decode()
    return hmac.compare_digest(headers.get("x-signature-256", ""), own) and hmac.compare_digest(
        headers.get("webhook-signature", ""), other
    )


def _archive() -> bytes:
    data = b"".join(b"%d\n" % n for n in range(1, 11))
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        info = tarfile.TarInfo("data/numbers.txt")
        info.size = len(data)
        tar.addfile(info, io.BytesIO(data))
    return out.getvalue()
