"""`jobctl run` against a daemon that answers over a real socket: streams, exit codes, lost connections."""

import json
import os
import pty
import subprocess
from typing import Any

import pytest


def test_streams_keep_apart_and_the_exit_code_is_the_jobs(daemon: Any, jobctl: Any) -> None:
    def play(job: Any) -> None:
        job.say("to out")
        job.say("to err", "stderr")
        job.say("ünïcode \x1b[31m")
        job.end(7)

    daemon.on_submit = play
    done = jobctl("run", "--name", "a", "busybox", "sh", "-c", "exit 7", "--json", "-d")
    assert done.returncode == 7
    assert done.stdout == "to out\nünïcode \x1b[31m\n".encode()
    assert done.stderr == b"to err\n"
    assert daemon.jobs["a"].spec == {
        "image": "busybox",
        "id": "a",
        "command": ["sh", "-c", "exit 7", "--json", "-d"],
    }


def test_the_log_follows_over_the_connection_of_the_submission(daemon: Any, jobctl: Any) -> None:
    def play(job: Any) -> None:
        job.say("to out")
        job.end(0)

    daemon.on_submit = play
    assert jobctl("run", "busybox").stdout == b"to out\n"
    assert [request[0] for request in daemon.requests] == ["POST", "GET"], "nothing is read after the end"
    assert daemon.connections[0] is daemon.connections[1]


def test_a_daemon_may_close_the_connection_after_the_submission(daemon: Any, jobctl: Any) -> None:
    def play(job: Any) -> None:
        job.say("to out")
        job.end(3)

    daemon.on_submit, daemon.close_after_submit = play, True
    done = jobctl("run", "busybox")
    assert (done.returncode, done.stdout, done.stderr) == (3, b"to out\n", b"")
    assert daemon.connections[0] is not daemon.connections[1]


@pytest.mark.parametrize(
    ("exit_code", "reason", "status", "expected"),
    [
        (0, None, "completed", 0),
        (None, "timeout", "failed", 124),
        (137, "oom-killed", "failed", 137),
        (143, "cancelled", "cancelled", 121),
        (None, "image-not-found", "failed", 123),
        (127, "start-failed", "failed", 127),
        (0, "output-failed", "failed", 122),
        (None, "lost", "failed", 125),
    ],
)
def test_each_end_has_its_code_and_text(
    daemon: Any, jobctl: Any, exit_code: Any, reason: Any, status: Any, expected: Any
) -> None:
    daemon.on_submit = lambda job: job.end(exit_code, reason, status)
    done = jobctl("run", "busybox")
    assert done.returncode == expected
    assert done.stdout == b""
    assert (reason is None) == (done.stderr == b"")
    assert (reason or "").encode() in done.stderr


def test_detached_prints_the_id_and_nothing_else(daemon: Any, jobctl: Any) -> None:
    done = jobctl("run", "-d", "registry:5000/tools/busybox:1.36", "true")
    (job_id,) = daemon.jobs
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{job_id}\n".encode(), b"")
    assert job_id.startswith("busybox-")
    same = jobctl("submit", "--json", "busybox")
    assert json.loads(same.stdout)["status"] == "accepted"


def test_a_broken_stream_is_resumed_without_gap_or_repeat(daemon: Any, jobctl: Any) -> None:
    daemon.cut_after = 7

    def play(job: Any) -> None:
        for number in range(50):
            job.say(f"line {number}")
        job.end(0)

    daemon.on_submit = play
    done = jobctl("run", "busybox")
    assert done.returncode == 0
    assert done.stdout.decode().split("\n") == [*(f"line {n}" for n in range(50)), ""]
    assert b"reconnecting" in done.stderr


def test_an_older_daemon_is_asked_only_for_lines(daemon: Any, jobctl: Any) -> None:
    daemon.unknown_parameter = "unfinished"
    daemon.on_submit = lambda job: (job.say("a"), job.end(0))
    done = jobctl("run", "busybox")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"a\n", b"")


def test_a_restart_of_the_daemon_does_not_end_the_run(daemon: Any, jobctl: Any, until: Any) -> None:
    program = jobctl.start("run", "--name", "a", "busybox")
    until(lambda: daemon.followers)
    daemon.jobs["a"].say("before")
    assert program.stdout.readline() == b"before\n"
    daemon.stop()
    daemon.jobs["a"].say("meanwhile")
    daemon.start()
    daemon.jobs["a"].say("after")
    daemon.jobs["a"].end(3)
    out, _ = program.communicate(timeout=60)
    assert out == b"meanwhile\nafter\n"
    assert program.returncode == 3


def test_a_lost_answer_is_requested_again_with_a_key(daemon: Any, jobctl: Any) -> None:
    daemon.lose_answers = 1
    daemon.on_submit = lambda job: job.end(0)
    done = jobctl("run", "--name", "a", "busybox")
    assert done.returncode == 0, done.stderr
    keys = [headers.get("Idempotency-Key") for method, path, headers in daemon.requests if method == "POST"]
    assert len(keys) == 2
    assert keys[0] is None
    assert keys[1]


def test_an_id_in_use_is_refused(daemon: Any, jobctl: Any) -> None:
    assert jobctl("submit", "--name", "a", "busybox").returncode == 0
    again = jobctl("submit", "--name", "a", "busybox")
    assert again.returncode == 6
    assert b"id: the id is in use" in again.stderr
    assert jobctl("run", "--name", "a", "busybox").returncode == 125


def test_a_stopped_daemon_is_reported_with_the_command_that_starts_it(jobctl: Any) -> None:
    done = jobctl("ls")
    assert done.returncode == 3
    assert done.stdout == b""
    path = jobctl.env["JOBD_SOCKET"]
    assert (
        done.stderr.decode()
        == f"jobctl: jobd is not running at {path}; start it with: jobd --socket {path}\n"
    )
    assert jobctl("run", "busybox").returncode == 125
    assert jobctl("submit", "busybox").returncode == 3


def test_on_a_terminal_progress_is_shown_and_removed(daemon: Any, jobctl: Any, until: Any) -> None:
    jobctl.env |= {"TERM": "xterm-256color"}
    main, other = pty.openpty()
    daemon.on_submit = lambda job: job.extra.update(phase="pulling", waitingFor="pulling busybox: 3 of 9 MB")
    program = jobctl.start("run", "--name", "a", "busybox", stderr=other, stdout=subprocess.PIPE)
    os.close(other)
    shown = b""
    while b"3 of 9 MB" not in shown:
        shown += os.read(main, 4096)
    daemon.jobs["a"].say("output")
    daemon.jobs["a"].end(0)
    out, _ = program.communicate(timeout=60)
    os.close(main)
    assert (program.returncode, out) == (0, b"output\n")
