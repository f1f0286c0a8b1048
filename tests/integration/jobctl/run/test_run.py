"""`jobctl run` against a daemon that answers over a real socket: streams, exit codes, signals, files."""

import io
import json
import os
import pty
import signal
import subprocess
import sys
import tarfile
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


WHERE_MSGSPEC_IS_IMPORTED = """
import sys, threading

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "msgspec._core":
            print(threading.current_thread() is threading.main_thread(), file=sys.stderr)

sys.meta_path.insert(0, Finder())
import jobctl.main
sys.exit(jobctl.main.run(sys.argv[1:]))
"""


@pytest.mark.parametrize("arguments", [("busybox",), ("--in", "x=./x", "busybox")])
def test_no_signal_handler_can_run_inside_the_import_of_msgspec(
    daemon: Any, jobctl: Any, arguments: tuple[str, ...]
) -> None:
    (jobctl.home / "x").write_text("x")
    daemon.on_submit = lambda job: job.end(0)
    command = [sys.executable, "-c", WHERE_MSGSPEC_IS_IMPORTED, "run", *arguments]
    done = subprocess.run(command, env=jobctl.env, cwd=jobctl.home, capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"False\n"), "handlers run in the main thread alone"


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


def test_ctrl_c_cancels_and_the_rest_of_the_log_is_still_shown(daemon: Any, jobctl: Any, until: Any) -> None:
    daemon.on_cancel = lambda job: (job.say("shutting down"), job.end(0, "cancelled", "cancelled"))
    program = jobctl.start("run", "--name", "a", "busybox")
    until(lambda: daemon.followers)
    program.send_signal(signal.SIGINT)
    out, err = program.communicate(timeout=60)
    assert program.returncode == 130
    assert out == b"shutting down\n"
    assert b"cancelling a; press Ctrl-C again to kill it" in err
    assert daemon.jobs["a"].cancels == [{"by": "Ctrl-C in jobctl run"}]


def test_a_second_ctrl_c_kills(daemon: Any, jobctl: Any, until: Any) -> None:
    def stubborn(job: Any) -> None:
        if len(job.cancels) == 2:
            job.end(137, "cancelled", "cancelled")

    daemon.on_cancel = stubborn
    program = jobctl.start("run", "--name", "a", "busybox")
    until(lambda: daemon.followers)
    program.send_signal(signal.SIGINT)
    until(lambda: len(daemon.jobs["a"].cancels) == 1)
    program.send_signal(signal.SIGINT)
    program.communicate(timeout=60)
    assert program.returncode == 130
    assert daemon.jobs["a"].cancels[1]["graceSeconds"] == 0


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_other_signals_leave_the_job_running_and_print_how_to_follow_it(
    daemon: Any, jobctl: Any, until: Any, number: Any, code: Any
) -> None:
    program = jobctl.start("run", "--name", "a", "busybox")
    until(lambda: daemon.followers)
    program.send_signal(number)
    _, err = program.communicate(timeout=60)
    assert program.returncode == code
    assert err == b"jobctl: a keeps running; to follow it again: jobctl logs -f a\n"
    assert daemon.jobs["a"].cancels == []
    assert daemon.jobs["a"].status == "running"


def test_a_closed_stdout_ends_jobctl_and_not_the_job(daemon: Any, jobctl: Any, until: Any) -> None:
    daemon.on_submit = lambda job: job.say("first")
    program = jobctl.start("run", "--name", "a", "busybox")
    assert program.stdout.readline() == b"first\n"
    program.stdout.close()
    for number in range(3):
        daemon.jobs["a"].say(f"more {number}")
    err = program.stderr.read()
    assert program.wait(60) == 141
    program.stderr.close()
    assert b"Traceback" not in err
    assert daemon.jobs["a"].status == "running"


def test_local_files_go_in_and_come_out(daemon: Any, jobctl: Any) -> None:
    (jobctl.home / "data" / "sub").mkdir(parents=True)
    (jobctl.home / "data" / "a.csv").write_bytes(b"1,2\n" * 100_000)
    (jobctl.home / "data" / "sub" / "b.txt").write_text("b")
    (jobctl.home / "tool.sh").write_text("#!/bin/sh\n")
    (jobctl.home / "tool.sh").chmod(0o755)

    def play(job: Any) -> None:
        job.files = {"result.csv": b"3\n", "plots/one.png": b"png", "plots/deep/two.png": b"PNG"}
        job.end(0)

    daemon.on_submit = play
    done = jobctl(
        "run", "--name", "a", "--in", "in=data", "--in", "bin/=tool.sh", "--out", "result.csv=.", "--out", "plots=pictures", "busybox"
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    with tarfile.open(fileobj=io.BytesIO(daemon.jobs["a"].uploaded)) as archive:
        modes = {member.name: (member.isdir(), member.mode, member.uid) for member in archive}
        content = archive.extractfile("in/a.csv")
        assert content is not None
        assert content.read() == b"1,2\n" * 100_000
    assert sorted(modes) == ["bin", "bin/tool.sh", "in", "in/a.csv", "in/sub", "in/sub/b.txt"]
    assert modes["bin/tool.sh"] == (False, 0o755, 0)
    assert (jobctl.home / "result.csv").read_bytes() == b"3\n"
    assert (jobctl.home / "pictures" / "deep" / "two.png").read_bytes() == b"PNG"


def test_a_missing_output_is_122_and_the_others_are_fetched(daemon: Any, jobctl: Any) -> None:
    def play(job: Any) -> None:
        job.files = {"b": b"here"}
        job.end(0)

    daemon.on_submit = play
    done = jobctl("run", "--out", "a=.", "--out", "b=.", "busybox")
    assert done.returncode == 122
    assert b"the command succeeded, but the job has no 'a'" in done.stderr
    assert (jobctl.home / "b").read_bytes() == b"here"


def test_outputs_of_a_failed_job_are_not_fetched_and_the_copy_command_is_named(
    daemon: Any, jobctl: Any
) -> None:
    daemon.on_submit = lambda job: job.end(1)
    done = jobctl("run", "--name", "a", "--out", "x=y", "busybox")
    assert done.returncode == 1
    assert b"jobctl cp a:x y" in done.stderr


def test_a_wrong_field_of_a_file_has_its_line(daemon: Any, jobctl: Any) -> None:
    (jobctl.home / "job.yaml").write_text(
        "image: busybox\nartifacts:\n  - id: x\n    type: read\n    in: ../up\n"
    )
    daemon.refuse = (
        400,
        {"error": "artifacts[0].in: must stay inside", "code": "invalid-spec", "field": "artifacts[0].in"},
    )
    done = jobctl("submit", "-f", "job.yaml")
    assert done.returncode == 1
    assert done.stderr == b"jobctl: job.yaml:5:5: artifacts[0].in: must stay inside\n"
    as_json = jobctl("submit", "-f", "job.yaml", "--json")
    assert json.loads(as_json.stderr)["field"] == "artifacts[0].in"
    assert as_json.stdout == b""


def test_stdin_is_a_job_file_and_flags_override_it(daemon: Any, jobctl: Any) -> None:
    job = {"id": "from-file", "image": "busybox", "environment": {"A": "1", "B": "2"}}
    done = jobctl("submit", "-f", "-", "-e", "B=3", "--name", "b", stdin=json.dumps(job).encode())
    assert done.returncode == 0, done.stderr
    assert daemon.jobs["b"].spec["environment"] == {"A": "1", "B": "3"}


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
