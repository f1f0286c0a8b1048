"""A real jobd in its own process, started, killed and restarted; a receiver of callbacks."""

import contextlib
import json
import os
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import docker
import pytest

from tests.support.engine import instances
from tests.support.prefork.programs import Program, run, start

DEADLINE_S = 60.0
FAILPOINTS = "tests.support.instrumented.failpoints"


def until(condition: Callable[[], Any], what: str, deadline_s: float = DEADLINE_S) -> Any:
    """Returns the first truthy value of `condition`; fails with `what` at the deadline."""
    began = time.monotonic()
    while (waited_s := time.monotonic() - began) < deadline_s:
        value = condition()
        if value:
            return value
        check_s = time.monotonic() - began - waited_s
        # Each check costs processor time, also the daemon's; a check that starts a program costs more.
        time.sleep(max(min(0.01 + waited_s / 20, 0.05), 3 * check_s))
    pytest.fail(f"not within {deadline_s:g} s: {what}")


@dataclass
class Answer:
    """An HTTP answer: the status, the body, its JSON."""

    status: int
    body: bytes
    headers: Any = None

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Daemon:
    """One jobd with its own state folder. `start` after `kill` continues with the same state."""

    folder: Path
    environ: dict[str, str] = field(default_factory=dict)
    flags: tuple[str, ...] = ("--no-auth",)
    within: tuple[str, ...] = ()
    """A command that executes jobd, such as one that sets a limit."""
    module: str = "jobd"
    """What Python runs: jobd, or a program that starts jobd, such as FAILPOINTS."""
    is_executed: bool = False
    """False: jobd may be a forked process, whose `cmdline` and `environ` in /proc are those of the server that has forked it."""
    process: Program | None = None
    http: str = ""
    metrics: str = ""

    @property
    def socket(self) -> Path:
        return self.folder / "jobd.sock"

    @property
    def log(self) -> Path:
        return self.folder / "jobd.log"

    def start(self) -> "Daemon":
        self.folder.mkdir(parents=True, exist_ok=True)
        begin = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            self.process = start(
                self.module,
                ("--socket", str(self.socket), "--state-dir", str(self.folder / "state"), *self.flags),
                {
                    **os.environ,
                    "PORT": "0",
                    "METRICS_PORT": "0",
                    "SHUTDOWN_DRAIN_WAIT": "0s",  # no load balancer turns away
                    "SANDBOX_POOL": os.environ.get("TEST_SANDBOX_POOL", "off"),
                    **self.environ,
                },
                log,
                within=self.within,
                is_executed=self.is_executed,
            )
        until(lambda: self._ready(begin), "jobd is ready")
        return self

    def _ready(self, begin: int) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            pytest.fail(f"jobd ended with {self.process.returncode}:\n{self.log.read_text()[-4000:]}")
        for line in self.log.read_bytes()[begin:].splitlines():
            with contextlib.suppress(ValueError):
                entry = json.loads(line)
                if entry.get("message") == "jobd is ready":
                    self.http, self.metrics = entry["http"], entry["metrics"]
                    return True
        return False

    def kill(self) -> None:
        """Kill -9."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(DEADLINE_S)

    def stop(self) -> int:
        """SIGTERM; returns the exit code."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(DEADLINE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            pytest.fail("jobd did not end on SIGTERM")

    def call(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Answer:
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        given = {"Content-Type": "application/json"} if data is not None else {}
        request = urllib.request.Request(self.http + path, data, {**given, **(headers or {})}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=DEADLINE_S) as response:
                return Answer(response.status, response.read(), response.headers)
        except urllib.error.HTTPError as error:
            return Answer(error.code, error.read(), error.headers)

    def submit(self, **spec: Any) -> str:
        answer = self.call("POST", "/v1/jobs", spec)
        assert answer.status == 202, answer.body
        return str(answer.json["id"])

    def ended(self, job_id: str, deadline_s: float = DEADLINE_S) -> dict[str, Any]:
        """Waits for the job's end and returns its view."""

        def look() -> Any:
            view = self.call("GET", f"/v1/jobs/{job_id}").json
            return view if view.get("status") in ("completed", "failed", "cancelled") else None

        view: dict[str, Any] = until(look, f"job {job_id} has ended", deadline_s)
        return view

    def log_lines(self, job_id: str, query: str = "") -> list[dict[str, Any]]:
        body = self.call("GET", f"/v1/jobs/{job_id}/logs{query}").body
        return [json.loads(line) for line in body.splitlines() if line]

    def jobctl(
        self,
        *arguments: str,
        cwd: Path | str | None = None,
        env: Mapping[str, str] | None = None,
        errors: str = "strict",
    ) -> subprocess.CompletedProcess[str]:
        """Runs jobctl with this daemon; returns its output as text, with the newlines of `subprocess.run(text=True)`."""
        command = ["--host", f"unix://{self.socket}", *arguments]
        done = run("jobctl", command, env or os.environ, folder=Path(cwd or "."), timeout_s=DEADLINE_S * 2)
        out, err = (
            data.decode(errors=errors).replace("\r\n", "\n").replace("\r", "\n")
            for data in (done.stdout, done.stderr)
        )
        return subprocess.CompletedProcess(done.args, done.returncode, out, err)


class Receiver:
    """An HTTP server that keeps POSTed bodies by path, in the order of arrival."""

    def __init__(self, port: int = 0) -> None:
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self._lock = threading.Lock()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                with receiver._lock:
                    receiver.requests.append((self.path, dict(self.headers.items()), body))
                self.send_response(204)
                self.end_headers()

            def do_PUT(self) -> None:
                self.do_POST()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(
            ("0.0.0.0", port), Handler
        )  # containers reach it through the bridge
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self._thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self._thread.start()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def events(self, path: str) -> list[dict[str, Any]]:
        with self._lock:
            return [json.loads(body) for at, _, body in self.requests if at == path]

    def raw(self, path: str) -> list[tuple[dict[str, str], bytes]]:
        with self._lock:
            return [(headers, body) for at, headers, body in self.requests if at == path]

    def complete(self, path: str) -> list[dict[str, Any]]:
        """Waits for the job's last event and returns all events."""

        def look() -> Any:
            events = self.events(path)
            return events if events and events[-1]["type"] == "orchestrator.job.complete" else None

        events: list[dict[str, Any]] = until(look, f"the complete event at {path}")
        return events

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


def remove_all(daemon: Daemon) -> None:
    """Removes this daemon's objects on the engine."""
    path = daemon.folder / "state" / "instance"
    if not path.exists():
        return
    instance = path.read_text().strip()
    instances.removed.add(instance)
    client = docker.from_env(timeout=60)
    wanted: dict[str, str | list[str] | bool] = {"label": f"job.instance={instance}"}
    until(lambda: _without_jobs(client, wanted), "the containers and volumes of a daemon are removed")
    for network in client.networks.list(filters=wanted):
        # A container leaves the engine's list shortly before its network; some engines lose one of many endpoints,
        # and keep the network until their next start.
        with contextlib.suppress(pytest.fail.Exception):
            until(_removes(network.remove), f"the network {network.name} is removed", 10)
    client.close()


def _without_jobs(client: docker.DockerClient, wanted: dict[str, str | list[str] | bool]) -> bool:
    """Removes what is there, and returns whether nothing was left: the engine may still create, or remove itself, what a daemon has asked
    for before its end.
    """
    found = [
        *(
            partial(one.remove, force=True, v=True)
            for one in client.containers.list(all=True, filters=wanted, ignore_removed=True)
        ),
        *(partial(one.remove, force=True) for one in client.volumes.list(filters=wanted)),
    ]
    for remove in found:
        _removes(remove)()
    return not found


def _removes(remove: Callable[[], Any]) -> Callable[[], bool]:
    """Returns a condition: what `remove` removes is gone."""

    def is_gone() -> bool:
        try:
            remove()
        except docker.errors.NotFound:
            return True
        except docker.errors.APIError as error:
            if error.status_code not in (403, 409):
                raise
            return False
        return True

    return is_gone
