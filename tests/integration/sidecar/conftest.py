"""A real HTTP server whose answers each test writes, and the sidecar as a whole program."""

import json
import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from jobd.wire.report import Report, decode_report
from sidecar.artifacts.base import Context
from sidecar.interrupts import Interrupts
from sidecar.transfer.http import Http
from sidecar.transfer.retry import Pace
from sidecar.workspace.paths import Workspace

PATIENCE_S = 60.0
QUICK = Pace(
    connect_s=5,
    stall_s=0.2,
    settle_s=0.05,
    first_backoff_s=0.001,
    longest_backoff_s=0.002,
    longest_retry_after_s=0.001,
)


@dataclass
class Seen:
    """One request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Server:
    """Answers by path; `on` sets what a path does, the requests are kept. A path's answers are given in turn, the last for ever."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self._answers: dict[str, list[Callable[[BaseHTTPRequestHandler], None]]] = {}
        self.release = threading.Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                server.seen.append(Seen(self.command, self.path, dict(self.headers), body))
                answers = server._answers[self.path.partition("?")[0]]
                (answers.pop(0) if len(answers) > 1 else answers[0])(self)

            do_GET = do_PUT = do_POST = handle_any  # noqa: N815  # names that http.server looks for

            def log_message(self, format: str, *args: Any) -> None:
                pass

            def handle(self) -> None:
                try:
                    super().handle()
                except (ConnectionError, ValueError):
                    pass  # the sidecar hung up

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_port}"

    def on(self, path: str, *answers: Callable[[BaseHTTPRequestHandler], None]) -> str:
        self._answers[path] = list(answers)
        return self.url + path

    def close(self) -> None:
        self.release.set()
        self._http.shutdown()
        self._thread.join(PATIENCE_S)
        self._http.server_close()

    @staticmethod
    def answer(status: int, body: bytes = b"", **headers: str) -> Callable[[BaseHTTPRequestHandler], None]:
        """Answers in full. Header names have `_` for `-`; a Content_Length that is given may lie."""

        def send(handler: BaseHTTPRequestHandler) -> None:
            handler.send_response(status)
            for name, value in ({"Content_Length": str(len(body))} | headers).items():
                handler.send_header(name.replace("_", "-"), value)
            handler.end_headers()
            handler.wfile.write(body)
            if "Content_Length" in headers:
                handler.close_connection = True

        return send

    def stall(self, handler: BaseHTTPRequestHandler) -> None:
        """Takes the request and never answers."""
        self.release.wait(PATIENCE_S)
        handler.close_connection = True

    def drip(self, handler: BaseHTTPRequestHandler) -> None:
        """Sends header after header, slowly, for ever."""
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
        while not self.release.wait(0.05):
            handler.wfile.write(b"X: y\r\n")
            handler.wfile.flush()
        handler.close_connection = True

    @staticmethod
    def hang_up(handler: BaseHTTPRequestHandler) -> None:
        """Closes without an answer."""
        handler.close_connection = True


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()


@dataclass
class Program:
    """`python -m sidecar`, its reports as they come."""

    process: subprocess.Popen[bytes]
    reports: list[Report] = field(default_factory=list)
    _rest: bytes = b""

    def until(self, kind: type[Report]) -> Report:
        """Reads reports until one of this type, which is returned."""
        deadline = time.monotonic() + PATIENCE_S
        assert self.process.stdout is not None
        while not self.reports or not isinstance(self.reports[-1], kind):
            line, newline, rest = self._rest.partition(b"\n")
            if newline:
                self._rest = rest
                assert line.isascii()
                self.reports.append(decode_report(line))
                continue
            assert time.monotonic() < deadline, f"no {kind.__name__} in time: {self.reports}"
            assert select.select([self.process.stdout], [], [], PATIENCE_S)[0]
            chunk = os.read(self.process.stdout.fileno(), 1 << 16)
            assert chunk, f"ended without {kind.__name__}: {self.reports} {self.stderr()}"
            self._rest += chunk
        return self.reports[-1]

    def end(self) -> int:
        """Reads what is left and returns the exit code."""
        assert self.process.stdout is not None
        left = self._rest + self.process.stdout.read()
        self.reports.extend(decode_report(line) for line in left.splitlines())
        return self.process.wait(PATIENCE_S)

    def stderr(self) -> str:
        assert self.process.stderr is not None
        return self.process.stderr.read().decode()


Start = Callable[..., Program]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts the program with an order on stdin, or with variables."""
    started: list[Program] = []

    def begin(order: bytes = b"", program: Sequence[str] = ("-m", "sidecar"), **variables: str) -> Program:
        clean = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
        process = subprocess.Popen(
            [sys.executable, "-W", "error", *program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=clean | variables,
            cwd=Path(__file__).parents[3],
        )
        made = Program(process)
        started.append(made)
        assert process.stdin is not None
        process.stdin.write(order)
        process.stdin.close()
        return made

    yield begin
    for program in started:
        program.process.kill()
        program.process.wait(PATIENCE_S)
        for stream in (program.process.stdout, program.process.stderr):
            assert stream is not None
            stream.close()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "work").mkdir()
    return tmp_path / "work"


@pytest.fixture
def variables(root: Path) -> Callable[..., dict[str, str]]:
    """Makes the variables of a run by hand from artifacts."""

    def make(*artifacts: dict[str, Any]) -> dict[str, str]:
        return {"JOB_ID": "job-1", "SHARED_VOLUME_PATH": str(root), "ARTIFACTS_JSON": json.dumps(artifacts)}

    return make


MakeContext = Callable[..., Context]


@pytest.fixture
def make_context(root: Path) -> Iterator[MakeContext]:
    interrupts = Interrupts()
    interrupts.install()
    facts = root.stat()
    workspace = Workspace(str(root), facts.st_uid, facts.st_gid)

    def make(**options: Any) -> Context:
        http = Http(interrupts, QUICK)
        return Context(
            workspace=workspace,
            interrupts=interrupts,
            http=lambda: http,
            meter=lambda size_bytes, total: None,
            **options,
        )

    yield make
    workspace.close()
    interrupts.uninstall()


@pytest.fixture
def context(make_context: MakeContext) -> Context:
    return make_context()
