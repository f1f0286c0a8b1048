"""`jobctl run -it`, `attach` and `exec -it` on a real terminal: keys, size, leaving and coming back, and the terminal as before on every way out."""

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.daemon import DEADLINE_S, Daemon, until
from tests.support.terminal import Terminal, on_terminal

DETACH = b"\x10\x11"
INTERRUPT, STOP, END = b"\x03", b"\x1a", b"\x04"


@pytest.fixture
def shell(daemon: Daemon, worker_image: str, job_id: str) -> Iterator[Terminal]:
    """A shell in a job, at its first prompt."""
    with on_terminal(
        daemon, "run", "--name", job_id, "-it", "-e", "PS1=prompt> ", worker_image, "sh"
    ) as terminal:
        terminal.read_until(b"prompt> ")
        yield terminal
    daemon.jobctl("cancel", "--grace", "0", job_id)


def said(terminal: Terminal, line: str, answer: str) -> None:
    """Types a line, and reads the answer behind its echo."""
    begin = len(terminal.shown)
    terminal.press(line.encode() + b"\r")
    terminal.read_until(b"\r\n" + answer.encode(), begin)


def pressed_until(terminal: Terminal, key: bytes, answer: bytes) -> None:
    """Presses a key until the answer is shown: the shell may still be about to start the program that gets the key."""
    begin = len(terminal.shown)

    def answered() -> bool:
        terminal.press(key)
        terminal.drain()
        return answer in terminal.shown[begin:]

    until(answered, f"{key!r} is answered")


def until_size(size: str) -> str:
    """Returns a line that waits for a size, which arrives a moment after it was sent."""
    return f"while [ \"$(stty size)\" != '{size}' ]; do sleep 0.1; done; echo has the si''ze"


def left(terminal: Terminal) -> tuple[int, bool]:
    """Waits for the end; returns the exit code and whether the terminal is as before."""
    code = terminal.end()
    return code, terminal.as_before


def runs(daemon: Daemon, job_id: str) -> bool:
    """Returns whether the job runs, once jobd knows that it has started."""
    view = until(
        lambda: (found := daemon.call("GET", f"/v1/jobs/{job_id}").json)["status"] != "accepted" and found,
        "the job has started",
    )
    return bool(view["status"] == "running")


def test_a_shell_has_the_terminal_and_gives_it_back(shell: Terminal) -> None:
    said(shell, "tty >/dev/null && echo a ter''minal", "a terminal")
    said(shell, until_size("40 80"), "has the size")
    shell.press(b"exit 7\r")
    assert left(shell) == (7, True)
    assert "waits for" not in shell.text.partition("stty size")[2], "no animation"


def test_a_new_size_reaches_the_job(shell: Terminal) -> None:
    said(shell, "trap 'stty size' WINCH; echo tr''apped", "trapped")
    shell.resize(100, 24)
    said(shell, until_size("24 100"), "has the size")
    shell.press(END)
    assert left(shell) == (0, True)


def test_ctrl_c_and_ctrl_z_are_the_jobs(shell: Terminal, daemon: Daemon, job_id: str) -> None:
    said(shell, "echo st''arted; sleep 600", "started")
    pressed_until(shell, INTERRUPT, b"prompt> ")
    said(shell, "echo in''terrupted $?", "interrupted 130")
    said(shell, "echo st''arted; sleep 601", "started")
    pressed_until(shell, STOP, b"[1]+  Stopped")
    said(shell, "jobs", "[1]+  Stopped")
    said(shell, "kill %1; echo k''illed", "killed")
    assert runs(daemon, job_id)
    shell.press(b"exit\rexit\r")
    assert left(shell)[1]


def test_the_terminal_is_left_and_entered_again(shell: Terminal, daemon: Daemon, job_id: str) -> None:
    said(shell, "kept=secret; echo s''et", "set")
    shell.press(DETACH)
    assert left(shell) == (0, True)
    assert f"jobctl attach {job_id}" in shell.text
    assert runs(daemon, job_id)
    with on_terminal(daemon, "attach", job_id, columns=90, lines=30) as again:
        again.press(b"\r")
        again.read_until(b"prompt> ")
        said(again, "echo still $kept", "still secret")
        said(again, until_size("30 90"), "has the size")
        again.press(b"exit 5\r")
        assert left(again) == (5, True)
    assert daemon.ended(job_id)["exitCode"] == 5
    log = daemon.jobctl("logs", job_id).stdout
    assert "still secret" in log, "the log is one, over both terminals"


def test_other_keys_may_leave_the_terminal(daemon: Daemon, worker_image: str, job_id: str) -> None:
    with on_terminal(
        daemon, "run", "--name", job_id, "--detach-keys", "ctrl-a,d", "-it", "-e", "PS1=prompt> ", worker_image, "sh"
    ) as terminal:  # fmt: skip
        terminal.read_until(b"prompt> ")
        terminal.press(DETACH)
        said(terminal, "echo st''ayed", "stayed")
        terminal.press(b"\x01d")
        assert left(terminal) == (0, True)
    assert runs(daemon, job_id)
    daemon.jobctl("cancel", "--grace", "0", job_id)


def test_a_closed_window_leaves_the_job_running(shell: Terminal, daemon: Daemon, job_id: str) -> None:
    shell.hang_up()
    assert shell.process.wait(DEADLINE_S) == 128 + signal.SIGHUP
    assert runs(daemon, job_id)
    with on_terminal(daemon, "attach", job_id) as again:
        again.press(b"\r")
        again.read_until(b"prompt> ")
        again.press(b"exit\r")
        assert left(again) == (0, True)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT])
def test_a_signal_to_jobctl_restores_the_terminal(
    shell: Terminal, daemon: Daemon, job_id: str, number: signal.Signals
) -> None:
    shell.process.send_signal(number)
    _, restored = left(shell)
    assert restored
    if number in (signal.SIGTERM, signal.SIGHUP):
        assert shell.process.returncode == 128 + number
        assert f"jobctl attach {job_id}" in shell.text
    assert number == signal.SIGINT or runs(daemon, job_id)


def test_a_stopped_jobctl_gives_the_terminal_back_until_it_goes_on(
    daemon: Daemon, worker_image: str, job_id: str, tmp_path: Path
) -> None:
    jobctl = [sys.executable, "-m", "jobctl", "--host", f"unix://{daemon.socket}"]
    run = shlex.join([*jobctl, "run", "--name", job_id, "-it", "-e", "PS1=prompt> ", worker_image, "sh"])
    before, after = tmp_path / "before", tmp_path / "after"
    terminal = Terminal(["sh", "-mc", f"stty -g > {before}; {run}; stty -g > {after}; fg"])
    try:
        terminal.read_until(b"prompt> ")
        assert not terminal.as_before
        shell = terminal.process.pid
        (child,) = Path(f"/proc/{shell}/task/{shell}/children").read_text().split()
        os.kill(int(child), signal.SIGTSTP)
        until(lambda: after.exists() and after.read_text(), "jobctl stands still")
        assert after.read_text() == before.read_text()
        said(terminal, "echo b''ack", "back")
        terminal.press(b"exit 8\r")
        assert left(terminal) == (8, True)
    finally:
        terminal.close()


def test_a_killed_jobd_is_told_and_its_next_start_takes_the_terminal_up(
    make_daemon: Callable[..., Daemon], worker_image: str, job_id: str
) -> None:
    daemon = make_daemon().start()
    with on_terminal(
        daemon, "run", "--name", job_id, "-it", "-e", "PS1=prompt> ", worker_image, "sh"
    ) as terminal:
        terminal.read_until(b"prompt> ")
        said(terminal, "kept=1; echo s''et", "set")
        daemon.kill()
        assert left(terminal) == (125, True)
        assert "the connection to jobd broke" in terminal.text
        assert f"jobctl attach {job_id}" in terminal.text
    daemon.start()
    with on_terminal(daemon, "attach", job_id) as again:
        again.press(b"\r")
        again.read_until(b"prompt> ")
        said(again, "echo kept $kept", "kept 1")
        again.press(b"exit 3\r")
        assert left(again) == (3, True)
    assert daemon.ended(job_id)["exitCode"] == 3


def test_a_stopping_jobd_is_told(make_daemon: Callable[..., Daemon], worker_image: str, job_id: str) -> None:
    daemon = make_daemon().start()
    with on_terminal(
        daemon, "run", "--name", job_id, "-it", "-e", "PS1=prompt> ", worker_image, "sh"
    ) as terminal:
        terminal.read_until(b"prompt> ")
        assert daemon.stop() == 0
        assert left(terminal) == (125, True)
        assert "jobd stops" in terminal.text
    daemon.start()
    assert runs(daemon, job_id)
    daemon.jobctl("cancel", "--grace", "0", job_id)


def test_a_job_that_waits_is_entered_after_a_kill_of_jobd(
    make_daemon: Callable[..., Daemon], worker_image: str, job_id: str
) -> None:
    daemon = make_daemon().start()
    assert daemon.jobctl("pause").returncode == 0
    command = ["run", "--name", job_id, "-it", "-e", "PS1=prompt> ", worker_image, "sh"]
    with on_terminal(daemon, *command) as terminal:
        until(lambda: daemon.call("GET", f"/v1/jobs/{job_id}").status == 200, "jobd has the job")
        daemon.kill()
        daemon.start()
        assert daemon.jobctl("resume").returncode == 0
        terminal.read_until(b"prompt> ")
        terminal.press(b"exit 4\r")
        assert left(terminal) == (4, True)


def test_an_exec_has_a_terminal_of_its_own(shell: Terminal, daemon: Daemon, job_id: str) -> None:
    with on_terminal(
        daemon, "exec", "-it", "-e", "PS1=second> ", job_id, "sh", columns=70, lines=20
    ) as second:
        second.read_until(b"second> ")
        said(second, until_size("20 70"), "has the size")
        second.resize(60, 15)
        said(second, until_size("15 60"), "has the size")
        second.press(b"exit 6\r")
        assert left(second) == (6, True)
    said(shell, "echo un''touched", "untouched")
    shell.press(b"exit\r")
    assert left(shell) == (0, True)


def test_a_terminal_that_is_full_of_output_is_left_in_order(shell: Terminal, job_id: str) -> None:
    shell.press(b"printf '\\033[?25l\\033[?1049h'; yes\r")
    shell.read_until(b"y\r\ny\r\n")
    shell.press(DETACH)
    code, restored = left(shell)
    assert (code, restored) == (0, True)
    assert b"\x1b[?1049l" in shell.shown


def test_an_attached_terminal_needs_a_terminal(shell: Terminal, daemon: Daemon, job_id: str) -> None:
    command = [sys.executable, "-m", "jobctl", "--host", f"unix://{daemon.socket}", "attach", job_id]
    done: Any = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=DEADLINE_S)
    assert (done.returncode, done.stdout) == (125, b"")
    assert b"the input device is not a terminal" in done.stderr
    watcher = subprocess.Popen([*command, "--no-stdin"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    said(shell, "sleep 1; echo w''atched", "watched")
    shell.press(b"exit\r")
    assert left(shell) == (0, True)
    out, _ = watcher.communicate(timeout=DEADLINE_S)
    assert b"watched" in out
