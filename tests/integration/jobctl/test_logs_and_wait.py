"""`jobctl logs` and `jobctl wait` against a daemon that answers over a real socket."""

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.integration.jobctl.test_commands import add


def test_logs_can_be_cut_filtered_and_followed(daemon: Any, jobctl: Any) -> None:
    job = add(daemon, "a")
    for number in range(5):
        job.say(f"l{number}", "stderr" if number % 2 else "stdout")
    assert jobctl("logs", "a").stdout == b"l0\nl2\nl4\n"
    assert jobctl("logs", "--tail", "2", "a").stdout == b"l4\n"
    only = jobctl("logs", "--stream", "stderr", "a")
    assert (only.stdout, only.stderr) == (b"", b"l1\nl3\n")
    assert jobctl("logs", "-t", "a").stdout.startswith(b"2030-01-31T08:00:00.000000Z l0\n")
    assert jobctl("logs", "--since", "2031-01-01T00:00:00Z", "a").stdout == b""
    frames = [json.loads(line) for line in jobctl("logs", "a", "--json").stdout.splitlines()]
    assert [frame["seq"] for frame in frames] == [1, 2, 3, 4, 5]
    job.end(0)
    followed = jobctl("logs", "-f", "a")
    assert (followed.returncode, followed.stdout) == (0, b"l0\nl2\nl4\n")


def test_several_logs_get_a_prefix(daemon: Any, jobctl: Any) -> None:
    for job_id in ("a", "long"):
        job = add(daemon, job_id)
        job.say("hello")
        job.end(0)
    assert sorted(jobctl("logs", "-f", "a", "long").stdout.splitlines()) == [b"a    | hello", b"long | hello"]
    assert jobctl("logs", "a", "long").stdout == b"a    | hello\nlong | hello\n"


def test_lost_and_partial_lines_are_marked(daemon: Any, jobctl: Any) -> None:
    job = add(daemon, "a")
    job.say("first half, ", partial=True)
    job.say("second half")
    job.say("later", gap="12 lines were lost here")
    done = jobctl("logs", "a")
    assert done.stdout == b"first half, second half\nlater\n"
    assert done.stderr == b"jobctl: 12 lines were lost here\n"


def test_a_pipe_that_closes_early_is_no_error(daemon: Any, jobctl: Any) -> None:
    job = add(daemon, "a")
    for number in range(20_000):
        job.lines.append({"seq": number + 1, "time": "", "stream": "stdout", "line": "x" * 80})
    program = jobctl.start("logs", "a")
    assert program.stdout.readline() == b"x" * 80 + b"\n"
    program.stdout.close()
    err = program.stderr.read()
    program.stderr.close()
    assert (program.wait(60), err) == (141, b"")


def test_a_full_disk_is_reported(daemon: Any, jobctl: Any) -> None:
    add(daemon, "a")
    with Path("/dev/full").open("wb") as full:
        program = jobctl.start("ls", "-q", stdout=full)
        _, err = program.communicate(timeout=60)
    assert program.returncode == 1
    assert b"No space left on device" in err


def test_ctrl_c_ends_logs_and_wait_and_prints_how_to_continue(daemon: Any, jobctl: Any, until: Any) -> None:
    add(daemon, "a")
    for command in (["logs", "-f", "a"], ["wait", "a"]):
        daemon.followers = 0
        program = jobctl.start(*command)
        until(lambda: daemon.followers)
        program.send_signal(signal.SIGINT)
        _, err = program.communicate(timeout=60)
        assert program.returncode == 130
        assert err.decode() == f"jobctl: to continue: jobctl {' '.join(command)}\n"
    assert daemon.jobs["a"].cancels == []


@pytest.mark.parametrize(("exit_code", "expected"), [(0, 0), (9, 9)])
def test_wait_returns_the_code_of_ended_jobs(daemon: Any, jobctl: Any, exit_code: Any, expected: Any) -> None:
    add(daemon, "a").end(exit_code)
    done = jobctl("wait", "a")
    assert done.returncode == expected
    assert done.stdout.decode().split()[:3] == [
        "a",
        "completed" if exit_code == 0 else "failed",
        str(exit_code),
    ]


def test_wait_for_all_and_for_any(daemon: Any, jobctl: Any, until: Any) -> None:
    add(daemon, "a")
    add(daemon, "b")
    everyone = jobctl.start("wait", "a", "b")
    until(lambda: daemon.followers == 2)
    daemon.jobs["b"].end(4)
    assert everyone.stdout.readline().startswith(b"b  failed  4")
    first = jobctl("wait", "--any", "a", "b")
    assert first.returncode == 4
    daemon.jobs["a"].end(0)
    everyone.communicate(timeout=60)
    assert everyone.returncode == 4


def test_wait_ends_after_its_timeout(daemon: Any, jobctl: Any) -> None:
    add(daemon, "a")
    done = jobctl("wait", "--timeout", "200ms", "a")
    assert done.returncode == 120
    assert b"still active: a" in done.stderr
    assert jobctl("wait", "nothing").returncode == 125
