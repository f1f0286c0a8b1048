"""A jobd that a test forks is started as `python -m jobd` starts it."""

import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.daemon import until
from tests.support.prefork import programs
from tests.support.prefork.programs import DEADLINE_S, ForkedProcess, Program, start

PROBE = "tests.integration.support.probe"


def run(
    tmp_path: Path, *arguments: str, is_executed: bool, **environ: str
) -> tuple[type, int, dict[str, Any]]:
    path = tmp_path / f"output-{is_executed}"
    with path.open("wb") as output:
        program = start(PROBE, arguments, {**os.environ, **environ}, output, is_executed=is_executed)
    code = program.wait(DEADLINE_S)
    return type(program), code, json.loads(path.read_text())


def test_a_forked_program_starts_as_an_executed_one(tmp_path: Path) -> None:
    """The environment, folder, umask, signals, streams and descriptors are those of `python -m`."""
    forked, code, got = run(tmp_path, "a", "b c", is_executed=False, OF_THIS_TEST="1", TZ="UTC")
    executed, same_code, wanted = run(tmp_path, "a", "b c", is_executed=True, OF_THIS_TEST="1", TZ="UTC")
    assert (forked, executed) == (ForkedProcess, subprocess.Popen)
    assert (code, same_code) == (7, 7)
    assert got == wanted
    assert got["environ"]["OF_THIS_TEST"] == "1"


def test_a_fork_has_this_moments_folder_umask_and_limits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs.run(PROBE, [], os.environ)  # the server is there already
    monkeypatch.chdir(tmp_path)
    umask = os.umask(0o027)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        _, _, got = run(tmp_path, is_executed=False)
    finally:
        os.umask(umask)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert (got["folder"], got["umask"]) == (str(tmp_path), 0o027)
    assert [256, hard] in got["limits"]


def test_what_the_interpreter_reads_at_its_start_is_as_the_program_wants_it(tmp_path: Path) -> None:
    _, _, got = run(tmp_path, is_executed=False, PYTHONWARNINGS="always")
    _, _, wanted = run(tmp_path, is_executed=True, PYTHONWARNINGS="always")
    assert got == wanted
    assert got["warnings"] == ["always"]


@pytest.mark.parametrize(
    "arguments", [["--version"], ["--help"], ["ls"], ["validate", "-f", "-"], ["no-such"], ["run", "--json"]]
)
def test_a_forked_jobctl_does_what_an_executed_one_does(tmp_path: Path, arguments: list[str]) -> None:
    environ = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(Path.cwd()),
        "HOME": str(tmp_path),
        "JOBD_SOCKET": "/none",
    }
    spec = b"image: busybox\ncommand: [echo]\n" * 300
    forked = programs.run("jobctl", arguments, environ, folder=tmp_path, stdin=spec)
    command = [sys.executable, "-m", "jobctl", *arguments]
    executed = subprocess.run(command, env=environ, cwd=tmp_path, input=spec, capture_output=True)
    assert (forked.returncode, forked.stdout, forked.stderr) == (
        executed.returncode,
        executed.stdout,
        executed.stderr,
    )


def test_a_run_that_takes_too_long_is_ended() -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        programs.run(PROBE, ["wait"], os.environ, timeout_s=0.5)


@pytest.fixture
def waiting(tmp_path: Path) -> Iterator[Program]:
    """A forked program that waits for a signal."""
    path = tmp_path / "output"
    with path.open("wb") as output:
        program = start(PROBE, ["wait"], os.environ, output)
    until(lambda: b"waits" in path.read_bytes(), "the program waits")
    yield program
    program.kill()
    program.wait(DEADLINE_S)


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (signal.SIGKILL, -signal.SIGKILL),
        (signal.SIGTERM, -signal.SIGTERM),
        (signal.SIGINT, -signal.SIGINT),  # the exit of a program that Ctrl-C ends
    ],
)
def test_a_forked_program_ends_by_its_signal(waiting: Program, number: int, code: int) -> None:
    assert waiting.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        waiting.wait(0)
    waiting.send_signal(number)
    assert waiting.wait(DEADLINE_S) == code
    assert waiting.poll() == waiting.returncode == code
    waiting.send_signal(signal.SIGKILL)  # no process has its id, so no process gets the signal
