"""The jobd under test: its process, its state on a small disk, its clock and its proxy to the engine.

Starts, stops and restarts jobd, and removes everything at the end.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import docker
import pytest

from scripts import leftovers
from tests.soak.api import Api
from tests.soak.records import Records, Window
from tests.support.daemon import FAILPOINTS, Daemon
from tests.support.engine.engine_proxy import EngineProxy

DISK_BYTES = 128 << 20
START_AGAIN_S, START_LIMIT_S, END_LIMIT_S = 1.0, 120.0, 60.0
FILL_STEP_BYTES = 1 << 20


class DoesNotStart(Exception):
    """jobd does not get ready after several starts."""


class Subject:
    """One jobd. `can_fill_disk`: its state is on its own file system, which needs root."""

    def __init__(self, records: Records, now: Callable[[], float]) -> None:
        self.records, self.now = records, now
        self.can_fill_disk = os.geteuid() == 0 and shutil.which("mount") is not None
        self.folder = Path(tempfile.mkdtemp(prefix="jobd-soak-"))
        self.state = self.folder / "state"
        self.state.mkdir()
        if self.can_fill_disk:
            options = f"size={DISK_BYTES},mode=0700"
            subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", self.state], check=True)
        self.clock = self.folder / "clock"
        self.clock.write_text("0")
        self.proxy = EngineProxy(self.folder / "engine.sock")
        self.ports = _free_ports(2)
        limits = records.limits
        self.daemon = Daemon(
            self.folder,
            environ={
                "DOCKER_HOST": self.proxy.url,
                "PORT": str(self.ports[0]),
                "METRICS_PORT": str(self.ports[1]),
                "JOBD_FAILPOINT_CLOCK": str(self.clock),
                "MAX_CONCURRENT_JOBS": "6",
                "JOB_RETENTION": f"{limits.job_retention_s:g}s",
                "HISTORY_RETENTION": f"{limits.history_retention_s:g}s",
                "MAINTENANCE_INTERVAL": "2s",
                "LOG_MAX_BYTES": str(limits.log_bytes),
                "UPLOAD_RETRIES": "1",
                "SHUTDOWN_DRAIN_WAIT": "0s",
                "DISPATCHER_HTTP_TIMEOUT": "5s",
                "DISPATCHER_BREAKER_COOLDOWN": "1s",
            },
            module=FAILPOINTS,
            is_executed=True,
        )
        self.api = Api(self.daemon.socket)

    @property
    def pid(self) -> int | None:
        process = self.daemon.process
        return None if process is None or process.poll() is not None else process.pid

    def start(self) -> None:
        """Starts jobd, repeatedly as a service manager does, until jobd is ready.

        Raises:
            DoesNotStart: not within two minutes.
        """
        end = time.monotonic() + START_LIMIT_S
        while True:
            try:
                self.daemon.start()
                return
            except pytest.fail.Exception as error:
                process = self.daemon.process
                if process is not None and process.poll() is None:
                    process.kill()
                    process.wait(END_LIMIT_S)
                if not self.disk_is_full:
                    self.records.faults_of_jobd.append(
                        f"at {self.now():.1f} s jobd did not start: {error}"[:600]
                    )
                if time.monotonic() > end:
                    raise DoesNotStart(f"jobd does not start: {error}"[:600]) from None
                time.sleep(START_AGAIN_S)

    def kill(self) -> None:
        self.daemon.kill()

    def end(self) -> None:
        """Stops jobd by SIGTERM; an exit code other than 0, or no end, is jobd's fault."""
        process = self.daemon.process
        assert process is not None
        process.send_signal(signal.SIGTERM)
        try:
            code = process.wait(END_LIMIT_S)
        except subprocess.TimeoutExpired:
            self.records.faults_of_jobd.append(f"at {self.now():.1f} s jobd did not end on SIGTERM")
            self.daemon.kill()
            return
        if code:
            self.records.faults_of_jobd.append(f"at {self.now():.1f} s jobd ended with {code} on SIGTERM")

    def set_clock(self, offset_s: float) -> None:
        """Sets the offset of jobd's wall clock, in one step."""
        fresh = self.clock.with_suffix(".new")
        fresh.write_text(str(offset_s))
        fresh.rename(self.clock)
        self.records.clock.append((self.now(), offset_s))

    @property
    def disk_is_full(self) -> bool:
        return (self.state / "ballast").exists()

    def fill_disk(self) -> None:
        """Fills the disk."""
        with (self.state / "ballast").open("ab", buffering=0) as file:
            for size in (FILL_STEP_BYTES, 4096):
                with contextlib.suppress(OSError):
                    while True:
                        file.write(b"\0" * size)

    def free_disk(self) -> None:
        (self.state / "ballast").unlink(missing_ok=True)

    def instance(self) -> str:
        """Returns the value of jobd's instance label on the engine."""
        return (self.state / "instance").read_text().strip()

    def close(self, engine: docker.APIClient) -> None:
        """Stops jobd and removes its containers, volumes and files."""
        process = self.daemon.process
        if process is not None and process.poll() is None:
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait(END_LIMIT_S)
        try:
            if (self.state / "instance").exists():
                leftovers.remove(engine, self.instance())
                leftovers.remove_network(engine, self.instance())
        finally:
            self.proxy.close()
            if self.can_fill_disk:
                subprocess.run(["umount", "--lazy", self.state], check=True)
            shutil.rmtree(self.folder, ignore_errors=True)


@contextlib.contextmanager
def window(records: Records, now: Callable[[], float], kind: str, detail: str = "") -> Iterator[Window]:
    """Records the duration of a fault."""
    made = Window(kind, now(), detail=detail)
    records.windows.append(made)
    try:
        yield made
    finally:
        made.ended_s = now()


def _free_ports(count: int) -> list[int]:
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(one.getsockname()[1]) for one in held]
    for one in held:
        one.close()
    return ports
