"""Each command with a standard output whose reader has gone: no traceback and no complaint, and the exit code of SIGPIPE."""

import os
import re
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.jobctl.conftest import Runner
from tests.integration.jobctl.every_command import CALLS
from tests.support.daemon import Daemon

SIGPIPE = 141
QUIET = {"cp": 4, "fetch": 4, "attach": 125, "exec": 125}
"""Commands that print nothing for the jobs of this test, and their exit codes."""
INPUT = b"image: busybox\n"


@pytest.fixture(scope="module")
def calls(jobd: Daemon, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    """Starts jobctl for a jobd that has the jobs of `every_command`."""
    home = tmp_path_factory.mktemp("home")
    (home / "key").write_text("secret")
    for name in ("ended", "waiting", "cancelled", "removed"):
        jobd.submit(id=name, image="busybox", callback={"url": "http://127.0.0.1:1/"})
    for name in ("ended", "removed"):
        assert jobd.jobctl("cancel", name).returncode == 0
        jobd.ended(name)
    runner = Runner(jobd.socket, home)
    yield runner
    runner.end_all()


def closed_pipe() -> int:
    reader, writer = os.pipe()
    os.close(reader)
    return writer


def started(calls: Runner, command: str, **streams: Any) -> Any:
    program = calls.start(*CALLS[command], stdin=subprocess.PIPE, **streams)
    assert program.stdin is not None
    program.stdin.write(INPUT)
    program.stdin.close()
    program.stdin = None
    return program


@pytest.mark.parametrize("command", [name for name in CALLS if name != "listen"])
def test_the_reader_of_stdout_has_gone(calls: Runner, command: str) -> None:
    pipe = closed_pipe()
    program = started(calls, command, stdout=pipe)
    os.close(pipe)
    _, err = program.communicate(timeout=60)
    assert b"Traceback" not in err
    assert b"roken pipe" not in err
    assert program.returncode == QUIET.get(command, SIGPIPE), err


def test_the_reader_of_events_has_gone(calls: Runner) -> None:
    pipe = closed_pipe()
    program = started(calls, "listen", stdout=pipe)
    os.close(pipe)
    url = re.search(rb"http://\S+", program.stderr.readline())
    assert url is not None
    event = b'{"specversion":"1.0","id":"1","source":"x","type":"orchestrator.job.start"}'
    request = urllib.request.Request(url[0].decode(), event, {"Content-Type": "application/cloudevents+json"})
    try:
        urllib.request.urlopen(request, timeout=60).close()
    except OSError:
        pass  # jobctl ends before it answers
    _, err = program.communicate(timeout=60)
    assert b"Traceback" not in err
    assert program.returncode == SIGPIPE


@pytest.mark.parametrize("command", ["ls", "show", "doctor", "explain"])
def test_the_reader_of_stderr_has_gone(calls: Runner, command: str) -> None:
    pipe = closed_pipe()
    program = started(calls, command, stderr=pipe)
    os.close(pipe)
    out, _ = program.communicate(timeout=60)
    assert out
    assert program.returncode in (0, 1)


@pytest.mark.parametrize("stream", [0, 1, 2])
@pytest.mark.parametrize("command", ["ls", "show", "completion", "version"])
def test_a_closed_stream_is_no_crash(calls: Runner, tmp_path: Path, command: str, stream: int) -> None:
    import sys

    with (tmp_path / "out").open("wb") as file:
        done = subprocess.run(
            ["sh", "-c", f'exec {stream}>&-; exec "$@"', "sh", sys.executable, "-m", "jobctl", *CALLS[command]],
            env=calls.env, cwd=calls.home, stdout=file, stderr=file, timeout=60, check=False,
        )  # fmt: skip
    assert b"Traceback" not in (tmp_path / "out").read_bytes()
    assert done.returncode == 0
