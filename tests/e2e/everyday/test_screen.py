"""What a person at a terminal has: top and watched lists that can be left and leave the terminal as it was, jobd's own log."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.daemon import Daemon, until
from tests.support.terminal import Terminal, on_terminal

STAYS = "trap 'exit 0' TERM; while true; do sleep 0.1; done"
COMMANDS = (["top"], ["ls", "-w"])


@pytest.fixture
def running(daemon: Daemon, worker_image: str, job_id: str) -> str:
    daemon.submit(id=job_id, image=worker_image, command=STAYS)
    until(lambda: daemon.call("GET", f"/v1/jobs/{job_id}").json["phase"] == "running", "the job runs")
    return job_id


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("keys", [b"q", b"Q", b"\x03"])
def test_q_and_ctrl_c_leave(daemon: Daemon, running: str, command: list[str], keys: bytes) -> None:
    with on_terminal(daemon, *command) as terminal:
        terminal.read_until(running.encode())
        terminal.press(b"x")  # means nothing
        terminal.press(keys)
        assert terminal.end() == (130 if keys == b"\x03" else 0)
        assert terminal.as_before
        assert "Traceback" not in terminal.text
    assert daemon.call("GET", f"/v1/jobs/{running}").json["status"] in ("accepted", "running")
    daemon.jobctl("rm", "-f", running)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_leaves_the_terminal_as_it_was(
    daemon: Daemon, running: str, command: list[str], number: signal.Signals
) -> None:
    with on_terminal(daemon, *command) as terminal:
        terminal.read_until(running.encode())
        terminal.process.send_signal(number)
        code = terminal.end()
        assert code == 128 + number
        assert terminal.as_before
    daemon.jobctl("rm", "-f", running)


def test_a_stopped_top_restores_the_terminal_and_continues(daemon: Daemon, running: str) -> None:
    with on_terminal(daemon, "top") as terminal:
        terminal.read_until(running.encode())
        terminal.process.send_signal(signal.SIGTSTP)
        until(lambda: _state(terminal.process.pid) == "T", "it is stopped")
        terminal.drain()
        assert terminal.as_before
        terminal.process.send_signal(signal.SIGCONT)
        seen = len(terminal.shown)
        terminal.read_until(running.encode(), after=seen)
        terminal.press(b"q")
        assert terminal.end() == 0
        assert terminal.as_before
    daemon.jobctl("rm", "-f", running)


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]


# -- jobd's log


def jobd(folder: Path, **env: str) -> Terminal:
    command = [
        sys.executable,
        "-m",
        "jobd",
        "--no-auth",
        "--socket",
        str(folder / "s"),
        "--state-dir",
        str(folder / "st"),
    ]
    return Terminal(command, 160, 40, {"PORT": "0", "METRICS_PORT": "0", **env})


def test_on_a_terminal_jobds_log_is_for_people(tmp_path: Path) -> None:
    terminal = jobd(tmp_path)
    try:
        terminal.read_until(b"jobd is ready")
        terminal.read_until(b"\n")
        terminal.process.send_signal(signal.SIGTERM)
        terminal.end()
        line = next(line for line in terminal.text.splitlines() if "jobd is ready" in line)
        assert re.match(r"\d\d:\d\d:\d\d\.\d{3}  INFO   jobd is ready +action=start", line), line
        assert re.search(rb"\x1b\[\d+mINFO", terminal.shown), "the level has a colour"
        assert "{" not in line
    finally:
        terminal.close()


@pytest.mark.parametrize(("format", "is_json"), [("json", True), ("text", False), ("auto", False)])
def test_the_format_of_the_log_can_be_chosen(tmp_path: Path, format: str, is_json: bool) -> None:
    terminal = jobd(tmp_path, LOG_FORMAT=format, NO_COLOR="1")
    try:
        terminal.read_until(b"jobd is ready")
        terminal.process.send_signal(signal.SIGTERM)
        terminal.end()
        line = next(line for line in terminal.text.splitlines() if "jobd is ready" in line)
        assert line.startswith("{") == is_json
        if is_json:
            assert json.loads(line)["message"] == "jobd is ready"
        assert b"\x1b[" not in terminal.shown
    finally:
        terminal.close()


def test_an_unknown_format_is_refused(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "jobd",
        "--socket",
        str(tmp_path / "s"),
        "--state-dir",
        str(tmp_path / "st"),
    ]
    env = {**os.environ, "LOG_FORMAT": "xml", "PORT": "0", "METRICS_PORT": "0"}
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=20)
    assert done.returncode != 0
    assert "LOG_FORMAT" in done.stderr
