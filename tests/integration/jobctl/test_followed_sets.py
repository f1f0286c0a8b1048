"""Sets that jobctl follows: progress, waiting, cancelling, and the end, against a daemon whose jobs the test controls."""

import json
import signal
import sys
import time
from typing import Any

import pytest

from jobctl.sets.following import PLAIN_EVERY_S
from tests.integration.jobctl.test_sets import SWEEP, end_at_once
from tests.support.terminal import Terminal


def test_the_end_names_the_jobs_that_failed_and_has_the_code_of_the_first(daemon: Any, jobctl: Any) -> None:
    end_at_once(daemon, 0, 7, 9)
    done = jobctl(*SWEEP)
    assert done.returncode == 7
    assert done.stderr.splitlines()[1:] == [
        b"jobctl: s: 1 completed, 2 failed",
        b"jobctl:   s-2 failed with exit code 7",
        b"jobctl:   s-3 failed with exit code 9",
    ]
    assert jobctl("wait", "s").returncode == 7
    shown = json.loads(jobctl("wait", "--json", "--set", "s").stdout)
    assert (shown["id"], shown["completed"], shown["failed"]) == ("s", 1, 2)


def test_cancelled_jobs_alone_give_121(daemon: Any, jobctl: Any) -> None:
    assert jobctl("sweep", "-d", *SWEEP[1:]).returncode == 0
    cancelled = jobctl("cancel", "--reason", "wrong", "s")
    assert (cancelled.returncode, cancelled.stdout) == (0, b"s\n")
    assert {job.cancels[0]["reason"] for job in daemon.jobs.values()} == {"wrong"}
    assert jobctl("wait", "s").returncode == 121
    again = jobctl("cancel", "--set", "s")
    assert (again.returncode, again.stdout) == (0, b"")
    assert b"all jobs of s have already ended" in again.stderr


def test_progress_in_a_pipe_is_a_line_only_now_and_then(daemon: Any, jobctl: Any) -> None:
    began = time.monotonic()
    program = jobctl.start("sweep", "--set", "s", "--each", "n=1..40", "busybox", "{n}")
    assert program.stderr.readline() == b"jobctl: s: 40 jobs submitted\n"
    jobs = list(daemon.jobs.values())
    daemon.jobs["s-1"].end(0)
    first = program.stderr.readline().decode()
    for job in jobs:
        job.end(0)
    *progress, last = program.stderr.read().decode().splitlines()
    assert program.wait(60) == 0
    assert last == "jobctl: s: 40 completed"
    assert first.startswith("jobctl: s  1 of 40 done, 39 running")
    assert len(progress) <= (time.monotonic() - began) / PLAIN_EVERY_S


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_jobctl_alone(daemon: Any, jobctl: Any, until: Any, number: int) -> None:
    program = jobctl.start(*SWEEP)
    until(lambda: any(path == "/v1/sets/s" for _, path, _ in daemon.requests))
    program.send_signal(number)
    _, err = program.communicate(timeout=60)
    assert program.returncode == 128 + number
    assert b"to wait for them: jobctl wait s; to end them: jobctl cancel s" in err
    assert all(job.cancels == [] and job.status == "running" for job in daemon.jobs.values())


def test_waiting_ends_with_its_timeout_and_survives_a_restart_of_the_daemon(
    daemon: Any, jobctl: Any, until: Any
) -> None:
    jobctl("sweep", "-d", *SWEEP[1:])
    late = jobctl("wait", "--timeout", "200ms", "s")
    assert (late.returncode, b"still active: s" in late.stderr) == (120, True)
    program = jobctl.start("wait", "s")
    until(lambda: sum(path == "/v1/sets/s" for _, path, _ in daemon.requests) > 3)
    daemon.stop()
    daemon.start()
    for job in daemon.jobs.values():
        job.end(0)
    out, err = program.communicate(timeout=60)
    assert (program.returncode, out) == (0, b"s  3 completed\n"), err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_progress_line_on_a_terminal_is_replaced_and_erased(
    daemon: Any, jobctl: Any, number: int
) -> None:
    terminal = Terminal([sys.executable, "-m", "jobctl", *SWEEP], 100, 40, {**jobctl.env, "TERM": "xterm"})
    try:
        terminal.read_until(b"0 of 3 done, 3 running")
        daemon.jobs["s-1"].end(0)
        terminal.read_until(b"1 of 3 done, 2 running")
        terminal.process.send_signal(number)
        assert terminal.end() == 128 + number
        assert terminal.as_before
        assert terminal.shown.rfind(b"\x1b[2K") > terminal.shown.rfind(b"1 of 3 done")
    finally:
        terminal.close()
