"""Ctrl-C in each command while jobctl waits: exit code 130, no traceback, and a sentence where something may go on."""

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jobctl.command_table import COMMANDS
from tests.integration.jobctl.every_command import CALLS, READING, WITHOUT_DAEMON
from tests.integration.jobctl.fakes.silent_daemon import SilentDaemon

READ_OF_STDIN = (["0", "0x0"], ["63", "0x0"])
"""The call `read` and its descriptor in /proc/PID/syscall, on x86-64 and arm64."""


@pytest.fixture
def silent(tmp_path: Path) -> Iterator[SilentDaemon]:
    daemon = SilentDaemon(tmp_path / "d.sock")
    yield daemon
    daemon.close()


def interrupted(program: Any) -> tuple[int, str]:
    program.send_signal(signal.SIGINT)
    out, err = program.communicate(timeout=60)
    assert b"Traceback" not in out + err
    return program.returncode, err.decode()


def test_each_command_has_a_call() -> None:
    assert set(CALLS) == set(COMMANDS)


@pytest.mark.parametrize("command", [name for name in CALLS if name not in WITHOUT_DAEMON])
def test_while_jobd_does_not_answer(jobctl: Any, until: Any, silent: SilentDaemon, command: str) -> None:
    program = jobctl.start(*CALLS[command])
    until(lambda: silent.asked)
    code, err = interrupted(program)
    assert code == 130
    assert "Traceback" not in err


@pytest.mark.parametrize("command", READING)
def test_while_a_command_reads_its_input(jobctl: Any, until: Any, command: str) -> None:
    (jobctl.home / "key").write_text("secret")
    program = jobctl.start(*CALLS[command], stdin=-1)
    until(lambda: Path(f"/proc/{program.pid}/syscall").read_text().split()[:2] in READ_OF_STDIN)
    assert interrupted(program) == (130, "")


def test_listen_ends_with_its_result(jobctl: Any) -> None:
    program = jobctl.start("listen", "--port", "0")
    assert b"listening" in program.stderr.readline()
    code, err = interrupted(program)
    assert (code, "no events" in err or "0 events" in err) == (0, True)


@pytest.mark.parametrize(
    "command", [["ls", "-w"], ["ls", "-w", "--json"], ["logs", "-f", "a"], ["wait", "a"], ["events", "-f"]]
)
def test_a_command_that_follows_is_left(daemon: Any, jobctl: Any, until: Any, command: list[str]) -> None:
    daemon.make("a").say("hello")
    program = jobctl.start(*command)
    if command[0] == "events":
        assert program.stdout.readline()
    else:
        until(lambda: daemon.followers or any(path.startswith("/v1/jobs?") for _, path, _ in daemon.requests))
    code, err = interrupted(program)
    assert code == 130
    assert command[0] == "ls" or "to continue: jobctl" in err
    assert daemon.jobs["a"].cancels == []


def test_an_interrupted_submission_names_the_job_that_may_run(
    jobctl: Any, until: Any, silent: SilentDaemon
) -> None:
    program = jobctl.start("submit", "--name", "new", "busybox")
    until(lambda: silent.asked)
    assert interrupted(program) == (
        130, "jobctl: jobctl ended while it submitted new; to see whether jobd accepted it: jobctl show new\n",
    )  # fmt: skip


def test_an_interrupted_request_may_be_carried_out(jobctl: Any, until: Any, silent: SilentDaemon) -> None:
    program = jobctl.start("pause")
    until(lambda: silent.asked)
    code, err = interrupted(program)
    assert (code, "jobd may do all the same what was asked" in err) == (130, True)


def test_an_interrupted_run_cancels_the_job_that_jobd_may_have_accepted(
    daemon: Any, jobctl: Any, until: Any
) -> None:
    program = jobctl.start("run", "--name", "a", "busybox")
    until(lambda: "a" in daemon.jobs)
    code, err = interrupted(program)
    assert (code, err.count("cancelling a")) == (130, 1)
    assert len(daemon.jobs["a"].cancels) == 1


def test_an_interrupted_removal_names_what_was_removed(daemon: Any, jobctl: Any, until: Any) -> None:
    for name in ("a", "b"):
        daemon.make(name).end(0)
    daemon.hang_on_delete = "b"
    program = jobctl.start("rm", "a", "b")
    until(lambda: "a" not in daemon.jobs and daemon.hanging)
    code, err = interrupted(program)
    assert (code, err.splitlines()) == (
        130,
        ["jobctl: removed before Ctrl-C: a", "jobctl: interrupted before jobd answered; jobd may do all the same what was asked: jobctl ls -a"],
    )  # fmt: skip
