"""`jobctl run` and signals: Ctrl-C cancels, other signals leave the job running, and none comes at a wrong moment."""

import signal
import subprocess
import sys
from typing import Any

import pytest

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
