"""Fixtures of several modules: a job with files, and jobctl as a program."""

import subprocess
import sys
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.programs import Start
from tests.support.daemon import DEADLINE_S, Daemon


@pytest.fixture(scope="module")
def job(daemon: Daemon, worker_image: str) -> Iterator[str]:
    """An ended job with the file `o`, the folder `res` and its file `res/sub/b`."""
    name = f"test-{uuid.uuid4().hex[:12]}"
    made = daemon.jobctl(
        "run", "--name", name, "--sh", "echo content > o; mkdir -p res/sub; echo a > res/a; echo b > res/sub/b", worker_image
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    yield name
    daemon.jobctl("rm", name)


@pytest.fixture
def start(daemon: Daemon) -> Iterator[Start]:
    """Starts jobctl as a program; the end of the test kills it."""
    started: list[subprocess.Popen[bytes]] = []

    def begin(*arguments: str, at: Daemon = daemon, **options: Any) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "jobctl", "--host", f"unix://{at.socket}", *arguments]
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        # unbuffered: a buffer would hide bytes after the first line from later reads
        started.append(subprocess.Popen(command, bufsize=0, **{**pipes, **options}))
        return started[-1]

    yield begin
    for program in started:
        if program.poll() is None:
            program.kill()
        program.communicate(timeout=DEADLINE_S)
