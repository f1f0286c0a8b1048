"""The line about bytes on their way, on a real terminal: however the program is ended or stopped, the terminal is as it was."""

import contextlib
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jobctl.connection.client import Client
from jobctl.connection.config import Target
from jobctl.output.live import progress_display
from tests.support.terminal import Terminal

LEAVING = {signal.SIGTERM: 143, signal.SIGHUP: 129, signal.SIGINT: 130}
ERASED = b"\x1b[2K"
ASKED_AFTER_S = progress_display.PLAIN_EVERY_S + 1.5


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


def test_a_run_shows_the_layers_of_the_image(jobctl: Any, daemon: Any) -> None:
    pull = {"doneBytes": 3 << 20, "bytes": 12 << 20, "layersDone": 3, "layers": 7}

    def pulling(job: Any) -> None:
        job.extra = {"phase": "pulling", "waitingFor": "pulling", "pull": pull, "image": "app:1"}

    daemon.on_submit = pulling
    with on_terminal(jobctl, "run", "--name", "job", "busybox") as terminal:
        terminal.read_until(b"job pulls the image app:1: 3 of 7 layers")
        terminal.read_until(b"3.0 MiB of 12.0 MiB")
        daemon.jobs["job"].say("hello")
        daemon.jobs["job"].end(0)
        assert terminal.end() == 0
        assert terminal.shown.rfind(ERASED) > terminal.shown.rfind(b"3 of 7 layers"), "the line is gone"
        assert terminal.text.rstrip().endswith("hello")


def test_after_the_log_the_outputs_have_a_line(jobctl: Any, daemon: Any) -> None:
    artifact = {"id": "model", "type": "upload", "status": "pending", "doneBytes": 1 << 20, "bytes": 4 << 20}

    def running(job: Any) -> None:
        job.say("hello")
        job.extra = {"phase": "outputs", "waitingFor": "its outputs", "artifacts": [artifact]}

    daemon.on_submit = running
    with on_terminal(jobctl, "run", "--name", "job", "busybox") as terminal:
        terminal.read_until(b"job waits for its outputs: model (upload)")
        daemon.jobs["job"].end(0)
        assert terminal.end() == 0
        assert terminal.shown.count(b"hello") == 1


def test_an_unfinished_line_is_not_overwritten(jobctl: Any, daemon: Any) -> None:
    def running(job: Any) -> None:
        job.say("an unfinished line", unterminated=True)
        job.extra = {"phase": "outputs", "waitingFor": "its outputs"}

    daemon.on_submit = running
    with on_terminal(jobctl, "run", "--name", "job", "busybox") as terminal:
        terminal.read_until(b"an unfinished line")
        time.sleep(ASKED_AFTER_S)
        terminal.drain()
        assert b"waits for its outputs" not in terminal.shown
        daemon.jobs["job"].end(0)
        assert terminal.end() == 0


def test_wait_shows_what_the_job_does(jobctl: Any, daemon: Any) -> None:
    for name in ("a", "b"):
        daemon.make(name).extra = {"startedAt": "2030-01-31T08:00:00Z"}
    with on_terminal(jobctl, "wait", "a", "b") as terminal:
        terminal.read_until(b"0 of 2 ended; a runs for")
        daemon.jobs["a"].end(0)
        terminal.read_until(b"1 of 2 ended; b runs for")
        daemon.jobs["b"].end(3)
        assert terminal.end() == 3
        assert [line for line in terminal.text.splitlines() if "completed" in line or "failed" in line] != []


def test_logs_say_what_a_job_waits_for_before_the_log_begins(jobctl: Any, daemon: Any) -> None:
    daemon.make("a").extra = {"phase": "queued", "waitingFor": "a free place: number 2 in the queue"}
    with on_terminal(jobctl, "logs", "-f", "a") as terminal:
        terminal.read_until(b"a waits for a free place: number 2 in the queue")
        daemon.jobs["a"].say("hello")
        daemon.jobs["a"].end(0)
        assert terminal.end() == 0


def test_without_a_terminal_a_line_comes_only_when_the_stage_changes(
    jobctl: Any, daemon: Any, until: Any, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress_display, "PLAIN_QUIET_FOR_S", 0.01)
    monkeypatch.setattr(progress_display, "PLAIN_EVERY_S", 0.01)
    job = daemon.make("a")
    job.extra = {"phase": "queued", "waitingFor": "a free place: number 2 in the queue"}
    client = Client([Target("unix", path=str(daemon.socket_path))])
    with progress_display.ProgressDisplay(client, "a"):
        for place in (2, 1):
            job.extra = {"phase": "queued", "waitingFor": f"a free place: number {place} in the queue"}
            assert until(lambda: capfd.readouterr().err.splitlines()) == [
                f"jobctl: a waits for a free place: number {place} in the queue"
            ]
        time.sleep(0.1)
        assert capfd.readouterr() == ("", ""), "nothing has changed"
