"""The line about bytes on their way, on a real terminal: however the program is ended or stopped, the terminal is as it was."""

import contextlib
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.terminal import Terminal

LEAVING = {signal.SIGTERM: 143, signal.SIGHUP: 129, signal.SIGINT: 130}
ERASED = b"\x1b[2K"


@pytest.fixture
def slow(daemon: Any) -> Any:
    """A daemon with a job, whose files come slowly and never to their end."""
    daemon.make("job").extra = {"outputs": [{"path": "model", "status": "present"}]}
    daemon.jobs["job"].status = "completed"
    daemon.trickle = True
    return daemon


@contextlib.contextmanager
def on_terminal(jobctl: Any, *arguments: str) -> Iterator[Terminal]:
    terminal = Terminal(
        [sys.executable, "-m", "jobctl", *arguments], 100, 40, {**jobctl.env, "TERM": "xterm"}
    )
    try:
        yield terminal
    finally:
        terminal.close()


def commands(home: Path) -> dict[str, list[str]]:
    return {
        "cp": ["cp", "job:model", f"{home}/model"],
        "cp to stdout": ["cp", "job:model", "/dev/null"],
        "fetch": ["fetch", "job", f"{home}/here"],
    }


@pytest.mark.parametrize("number", LEAVING)
@pytest.mark.parametrize("command", ["cp", "cp to stdout", "fetch"])
def test_a_signal_during_a_copy_leaves_the_terminal_as_it_was(
    jobctl: Any, slow: Any, command: str, number: signal.Signals
) -> None:
    with on_terminal(jobctl, *commands(jobctl.home)[command]) as terminal:
        terminal.read_until(b"fetching model")
        terminal.process.send_signal(number)
        assert terminal.end() == LEAVING[number]
        assert terminal.as_before
        assert terminal.shown.rfind(ERASED) > terminal.shown.rfind(b"fetching model"), "the line is gone"
    assert not [path for path in jobctl.home.rglob("*") if path.is_file()], "nothing half-made is left"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_killed_or_stopped_copy_keeps_the_cursor_visible(
    jobctl: Any, slow: Any, until: Any, number: signal.Signals
) -> None:
    with on_terminal(jobctl, *commands(jobctl.home)["cp"]) as terminal:
        terminal.read_until(b"fetching model")
        terminal.process.send_signal(number)
        if number == signal.SIGSTOP:
            until(lambda: state(terminal.process.pid) == "T")
            terminal.drain()
            assert terminal.as_before
            terminal.process.send_signal(signal.SIGCONT)
            terminal.read_until(b"fetching model", after=len(terminal.shown))
            terminal.process.kill()
        else:
            terminal.end()
            assert terminal.as_before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGSTOP, signal.SIGKILL])
def test_a_waiting_run_keeps_the_cursor_visible(
    jobctl: Any, daemon: Any, until: Any, number: signal.Signals
) -> None:
    def queued(job: Any) -> None:
        job.extra = {"phase": "queued", "waitingFor": "a place"}

    daemon.on_submit = queued
    with on_terminal(jobctl, "run", "--name", "job", "busybox") as terminal:
        terminal.read_until(b"waits for a place")
        terminal.process.send_signal(number)
        if number == signal.SIGSTOP:
            until(lambda: state(terminal.process.pid) == "T")
            terminal.drain()
        else:
            terminal.end()
        assert terminal.as_before


def state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]
