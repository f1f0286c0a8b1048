"""The keys of `top` on a terminal, and the terminal after each way out."""

import re
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.daemon import Daemon, until
from tests.support.terminal import Terminal, on_terminal, plain

HELP = b"q quit"
REVERSE = re.compile(r"\x1b\[(?:[0-9]+;)*7m")


@contextmanager
def top(daemon: Any, *arguments: str, columns: int = 100, lines: int = 24) -> Iterator[Terminal]:
    """`top` with the fake daemon, once its keys are listed."""
    command = [sys.executable, "-m", "jobctl", "--host", f"unix://{daemon.socket_path}", "top", *arguments]
    terminal = Terminal(command, columns, lines)
    try:
        terminal.read_until(HELP)
        yield terminal
    finally:
        terminal.close()


def selected(terminal: Terminal) -> str:
    """Returns the id in the row that was last shown in reverse."""
    lines = [line for line in terminal.shown.decode().splitlines() if REVERSE.search(line)]
    return plain(lines[-1]).split()[0]


def has_own_settings(terminal: Terminal) -> bool:
    """True while the terminal has its own settings and a visible cursor: after `top`, while it is stopped, and in a log."""
    terminal.drain()
    return terminal.as_before


def press(terminal: Terminal, keys: bytes, wanted: bytes) -> None:
    """Presses keys and waits until something is shown."""
    seen = len(terminal.shown)
    terminal.press(keys)
    terminal.read_until(wanted, after=seen)


@pytest.fixture
def waiting(jobd: Daemon, job_id: str) -> Iterator[list[str]]:
    """Two jobs of a paused group."""
    group, ids = f"g-{job_id[-8:]}", [f"{job_id}-a", f"{job_id}-b"]
    jobd.call("PUT", f"/v1/groups/{group}", {"paused": True})
    for each in ids:
        jobd.submit(id=each, image="busybox", group=group)
    yield ids
    for each in ids:
        jobd.call("POST", f"/v1/jobs/{each}/cancel")
        jobd.ended(each)
    jobd.call("DELETE", f"/v1/groups/{group}")


# -- what the keys do, with a real jobd


def test_a_job_is_cancelled_after_a_question(jobd: Daemon, waiting: list[str]) -> None:
    with on_terminal(jobd, "top", columns=100) as terminal:
        terminal.read_until(HELP)
        press(terminal, b"jc", f"cancel {waiting[1]}? y/n".encode())
        press(terminal, b"n", b"is not cancelled")
        assert jobd.call("GET", f"/v1/jobs/{waiting[1]}").json["status"] == "accepted"
        press(terminal, b"c", b"? y/n")
        press(terminal, b"y", f"cancelling {waiting[1]}".encode())
        assert jobd.ended(waiting[1])["status"] == "cancelled"
        assert jobd.call("GET", f"/v1/jobs/{waiting[0]}").json["status"] == "accepted"
        terminal.press(b"q")
        assert terminal.end() == 0
        assert terminal.as_before


def test_the_queue_is_paused_and_resumed_by_a_key(jobd: Daemon, waiting: list[str]) -> None:
    with on_terminal(jobd, "top", columns=100) as terminal:
        terminal.read_until(HELP)
        press(terminal, b"P", b"the queue is paused")
        assert jobd.call("GET", "/v1/queue").json["paused"] is True
        press(terminal, b"x", b"P resume all")
        press(terminal, b"P", b"jobs start again")
        assert "paused" not in jobd.call("GET", "/v1/queue").json


def test_a_refused_request_is_shown_and_top_goes_on(jobd: Daemon, waiting: list[str]) -> None:
    with on_terminal(jobd, "top", "--interval", "1h", columns=100) as terminal:
        terminal.read_until(HELP)
        press(terminal, b"c", b"? y/n")
        jobd.call("POST", f"/v1/jobs/{waiting[0]}/cancel")
        jobd.ended(waiting[0])
        press(terminal, b"y", b"has ended already")
        press(terminal, b"jx", HELP)
        terminal.press(b"q")
        assert terminal.end() == 0


# -- selection, pauses and logs, with jobs that run


def test_arrows_and_letters_select_a_job(daemon: Any) -> None:
    for name in ("one", "two", "six"):
        daemon.make(name)
    with top(daemon, "--interval", "1h") as terminal:
        first = selected(terminal)
        shown = [line.split()[0] for line in terminal.text.splitlines() if " running " in line]
        for keys, index in ((b"\x1b[B", 1), (b"j", 2), (b"\x1b[A", 1), (b"k", 0), (b"\x1bOB", 1)):
            press(terminal, keys, HELP)
            assert selected(terminal) == shown[index]
        assert first == shown[0]


def test_a_selected_job_is_visible_also_on_a_small_screen(daemon: Any) -> None:
    for number in range(20):
        daemon.make(f"n-{number:02}")
    with top(daemon, "--interval", "1h", lines=6) as terminal:
        first = selected(terminal)
        press(terminal, b"j" * 19, HELP)
        terminal.press(b"q")
        assert terminal.end() == 0
        assert selected(terminal) != first
        assert "18 more jobs do not fit" in terminal.text.splitlines()[0]


@pytest.mark.parametrize(("phase", "shown"), [("running", b"paused"), ("queued", b"queued")])
def test_a_job_is_paused_and_resumed(daemon: Any, phase: str, shown: bytes) -> None:
    daemon.make("web").extra = {"phase": phase}
    with top(daemon) as terminal:
        press(terminal, b"p", b"web is paused")
        press(terminal, b"x", b"p resume")
        terminal.read_until(shown)
        press(terminal, b"p", b"web is resumed")
    assert daemon.pauses == [("/v1/jobs/web/pause", ""), ("/v1/jobs/web/resume", "")]


def test_a_log_is_followed_and_ctrl_c_returns(daemon: Any) -> None:
    job = daemon.make("web")
    job.say("first line")
    with top(daemon, "--interval", "1h") as terminal:
        press(terminal, b"l", b"the log of web")
        terminal.read_until(b"first line")
        job.say("second line")
        terminal.read_until(b"second line")
        assert has_own_settings(terminal)
        press(terminal, b"\x03", HELP)
        assert not has_own_settings(terminal)
        terminal.press(b"q")
        assert terminal.end() == 0
        assert terminal.as_before


def test_a_key_returns_from_a_log_that_has_ended(daemon: Any) -> None:
    job = daemon.make("web")
    job.say("\x1b]0;title\x07only line")
    with top(daemon, "--interval", "1h") as terminal:
        press(terminal, b"l", b"only line")
        assert b"\x1b]0;" not in terminal.shown
        seen = len(terminal.shown)
        job.end(0)
        terminal.read_until(b"any key returns", after=seen)
        press(terminal, b"x", HELP)
        terminal.press(b"q")
        assert terminal.end() == 0
        assert terminal.as_before


def test_no_keys_without_a_terminal_at_stdin(daemon: Any, jobctl: Any, tmp_path: Path) -> None:
    daemon.make("web")
    command = f"exec {sys.executable} -m jobctl --host unix://{daemon.socket_path} top </dev/null"
    terminal = Terminal(["sh", "-c", command], 100, 24)
    try:
        terminal.read_until(b"web")
        terminal.press(b"q")
        terminal.read_until(b"web", after=len(terminal.shown))
        assert HELP not in terminal.shown
        assert not REVERSE.search(terminal.shown.decode())
        terminal.process.send_signal(signal.SIGTERM)
        assert terminal.end() == 143
        assert terminal.as_before
    finally:
        terminal.close()


# -- every way out


def in_the_list(terminal: Terminal) -> None:
    pass


def in_a_question(terminal: Terminal) -> None:
    press(terminal, b"c", b"? y/n")


def in_a_log(terminal: Terminal) -> None:
    press(terminal, b"l", b"returns to the list")
    terminal.read_until(b"a line", after=terminal.shown.rfind(b"returns to the list"))


PLACES = [in_the_list, in_a_question, in_a_log]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_restores_the_terminal(
    daemon: Any, place: Callable[[Terminal], None], number: signal.Signals
) -> None:
    daemon.make("web").say("a line")
    with top(daemon) as terminal:
        place(terminal)
        terminal.process.send_signal(number)
        assert terminal.end() == 128 + number
        assert terminal.as_before
        assert "Traceback" not in terminal.text
    assert daemon.jobs["web"].cancels == []


@pytest.mark.parametrize("place", PLACES)
def test_a_stop_restores_the_terminal_until_top_continues(
    daemon: Any, place: Callable[[Terminal], None]
) -> None:
    daemon.make("web").say("a line")
    with top(daemon) as terminal:
        place(terminal)
        terminal.process.send_signal(signal.SIGTSTP)
        until(lambda: state_of(terminal.process.pid) == "T", "top is stopped")
        terminal.drain()
        assert terminal.as_before
        terminal.process.send_signal(signal.SIGCONT)
        if place is in_a_log:
            daemon.jobs["web"].say("another line")
            terminal.read_until(b"another line")
            assert has_own_settings(terminal)
            press(terminal, b"\x03", HELP)
        else:
            terminal.read_until(b"web", after=len(terminal.shown))
        until(lambda: not has_own_settings(terminal), "top has its keys again")
        press(terminal, b"nx", HELP)
        terminal.press(b"q")
        assert terminal.end() == 0
        assert terminal.as_before


def test_an_unexpected_error_restores_the_terminal(daemon: Any) -> None:
    job = daemon.make("web")
    with top(daemon, "--interval", "100ms") as terminal:
        job.extra = {"attempts": 7}
        assert terminal.end() == 1
        assert terminal.as_before


def state_of(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]
