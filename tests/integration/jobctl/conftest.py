"""Fixtures: jobctl as a program, and fake daemons for it."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.jobctl.fakes.fake_daemon import DEADLINE_S, FakeDaemon
from tests.integration.jobctl.fakes.keyed_daemon import KeyedDaemon
from tests.support.daemon import Daemon
from tests.support.prefork.programs import run

NO_ENGINE = "unix:///nonexistent/engine.sock"


class Runner:
    """Starts jobctl as a program. `end_all` ends the programs that are still running after a failed test."""

    def __init__(self, socket_path: Path, home: Path) -> None:
        self.home = home
        self._started: list[subprocess.Popen[bytes]] = []
        inherited = {"PATH": os.environ["PATH"], "PYTHONPATH": str(Path.cwd())}
        self.env = {
            **inherited,
            "HOME": str(home),
            "JOBD_SOCKET": str(socket_path),
            "TERM": "dumb",
            "COLUMNS": "100",
        }

    def start(self, *arguments: str, **more: Any) -> "subprocess.Popen[bytes]":
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL, **more}
        command = [sys.executable, "-m", "jobctl", *arguments]
        program = subprocess.Popen(command, env=self.env, cwd=self.home, **options)
        self._started.append(program)
        return program

    def end_all(self) -> None:
        for program in self._started:
            if program.poll() is None:
                program.kill()
                program.wait(DEADLINE_S)
            for pipe in (program.stdin, program.stdout, program.stderr):
                if pipe is not None:
                    pipe.close()

    def __call__(self, *arguments: str, stdin: bytes | None = None) -> "subprocess.CompletedProcess[bytes]":
        return run("jobctl", arguments, self.env, folder=self.home, stdin=stdin or b"")


def _until(condition: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + DEADLINE_S
    while not (result := condition()):
        assert time.monotonic() < deadline, "the condition was not true in time"
        threading.Event().wait(0.01)
    return result


@pytest.fixture
def until() -> Callable[[Callable[[], Any]], Any]:
    """Waits until a condition is true, and returns its value."""
    return _until


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[FakeDaemon]:
    fake = FakeDaemon(tmp_path / "d.sock")
    fake.start()
    yield fake
    fake.close()


@pytest.fixture
def free_port_daemon() -> Iterator[KeyedDaemon]:
    daemon = KeyedDaemon()
    daemon.run(daemon.start())
    yield daemon
    daemon.close()


@pytest.fixture
def jobctl(tmp_path: Path) -> Iterator[Runner]:
    home = tmp_path / "home"
    home.mkdir()
    runner = Runner(tmp_path / "d.sock", home)
    yield runner
    runner.end_all()


@pytest.fixture(scope="module")
def jobd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A real jobd whose engine does not answer: all jobs wait."""
    made = Daemon(tmp_path_factory.mktemp("jobd"), environ={"DOCKER_HOST": NO_ENGINE})
    made.start()
    yield made
    made.stop()
