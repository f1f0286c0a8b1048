"""A jobd process for demo and benchmarks, with a Unix socket and a temporary state folder.

Starts and stops jobd, sends requests over its HTTP API, reads its streams, and lists its remaining containers and volumes.
"""

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from jobd.settings.config import NAMES
from scripts import leftovers
from scripts.engine_client import connect

READY_S = 120
"""The first start may build the sidecar image."""
STOP_S = 30
ROOT = Path(__file__).resolve().parent.parent
OWN_VARIABLES = {"SHUTDOWN_DRAIN_WAIT": "0s", "CONFIGURATION_DIRECTORY": "/nonexistent"}
"""No jobd.toml of the user is read."""


class DaemonFailed(Exception):
    """jobd did not start, did not respond as expected, or did not stop; the text ends with the last lines of jobd's log."""


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str, timeout_s: float) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Daemon:
    """A context manager that runs jobd, stops it by SIGTERM and checks its exit code.

    `module`: what Python runs, jobd or a program that starts jobd. `prepare` gets the path of the state folder before the start.
    """

    def __init__(
        self,
        variables: Mapping[str, str] | None = None,
        *,
        module: str = "jobd",
        prepare: Callable[[Path], None] | None = None,
    ) -> None:
        self.engine = connect()
        self.instance = ""
        self.folder = Path(tempfile.mkdtemp(prefix="jobd-"))
        self.socket = self.folder / "jobd.sock"
        self.log = self.folder / "jobd.log"
        if prepare is not None:
            try:
                prepare(self.folder / "state")
            except BaseException:
                self.engine.close()
                shutil.rmtree(self.folder, ignore_errors=True)
                raise
        inherited = {name: value for name, value in os.environ.items() if name not in NAMES}
        arguments = [
            "--socket",
            str(self.socket),
            "--state-dir",
            str(self.folder / "state"),
            "--port",
            "0",
            "--metrics-port",
            "0",
        ]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                cwd=ROOT,
                env=inherited | OWN_VARIABLES | dict(variables or {}),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C reaches only the script, which then stops jobd
            )

    @property
    def url(self) -> str:
        """The address for `jobctl --host`."""
        return f"unix://{self.socket}"

    def __enter__(self) -> Self:
        try:
            self._wait_until_ready()
            self.instance = self.request("GET", "/v1/version")[1]["instance"]
        except BaseException:
            self._clear()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self.stop()
        finally:
            self._clear()

    def request(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Sends one request; returns the status and the decoded JSON, None without a body."""
        connection = UnixConnection(str(self.socket), timeout_s=30)
        try:
            payload = None if body is None else json.dumps(body).encode()
            connection.request(method, path, payload, {"Content-Type": "application/json"} if payload else {})
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        return answer.status, json.loads(text) if text else None

    def lines(self, path: str, idle_s: float = 60) -> Iterator[dict[str, Any]]:
        """Yields the objects of an NDJSON stream as they arrive, until the daemon ends it."""
        connection = UnixConnection(str(self.socket), timeout_s=idle_s)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            if answer.status != 200:
                raise DaemonFailed(
                    f"GET {path} answered {answer.status}: {answer.read()[:400].decode(errors='replace')}"
                )
            for line in answer:
                if line.strip():
                    yield json.loads(line)
        finally:
            connection.close()

    def stop(self) -> None:
        """Stops jobd by SIGTERM, as systemd does.

        Raises:
            DaemonFailed: jobd does not end in time, or its exit code is not 0.
        """
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            raise DaemonFailed(f"jobd does not end within {STOP_S} s of SIGTERM\n{self.log_tail()}") from None
        if code:
            raise DaemonFailed(f"jobd ended with exit code {code}\n{self.log_tail()}")

    def left(self) -> list[str]:
        """Returns the containers and volumes of this jobd on the engine."""
        return leftovers.left(self.engine.api, self.instance)

    def log_tail(self, lines: int = 15) -> str:
        """Returns the end of jobd's log."""
        return (
            "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:]) if self.log.exists() else ""
        )

    def _remove_objects(self) -> None:
        leftovers.remove(self.engine.api, self.instance)
        leftovers.remove_network(self.engine.api, self.instance)

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_S
        answer: object = "no answer"
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise DaemonFailed(
                    f"jobd ended with exit code {self.process.returncode} at its start\n{self.log_tail()}"
                )
            try:
                status, answer = self.request("GET", "/readyz")
                if status == 200:
                    return
            except (OSError, http.client.HTTPException):
                pass  # not listening yet
            time.sleep(0.02)
        raise DaemonFailed(f"jobd is not ready after {READY_S} s: {answer}\n{self.log_tail()}")

    def _clear(self) -> None:
        """Kills jobd if it still runs, and removes the instance's containers, volumes and network from the engine."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)
        if self.instance:
            self._remove_objects()
        self.engine.close()
        shutil.rmtree(self.folder, ignore_errors=True)
