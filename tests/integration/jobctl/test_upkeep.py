"""Cancelling with words, pruning, watching and replaying, against a daemon that answers over a real socket."""

import json
import os
import pty
import select
import signal
import subprocess
import time
from typing import Any

import pytest


def ended(daemon: Any, job_id: str, finished_at: str = "2020-01-31T08:00:00Z") -> Any:
    job = daemon.make(job_id)
    job.extra.update(finishedAt=finished_at, uid=f"u-{job_id}")
    job.end(0)
    return job


def test_a_cancel_carries_signal_reason_and_grace(daemon: Any, jobctl: Any) -> None:
    daemon.make("a")
    done = jobctl("cancel", "--signal", "int", "--reason", "wrong data", "--grace", "1m", "a")
    assert done.returncode == 0, done.stderr
    assert daemon.jobs["a"].cancels == [{"reason": "wrong data", "signal": "SIGINT", "graceSeconds": 60}]
    wrong = jobctl("cancel", "--signal", "9", "a")
    assert wrong.returncode == 2
    assert b"TERM, INT" in wrong.stderr


def test_prune_removes_only_ended_jobs(daemon: Any, jobctl: Any) -> None:
    daemon.make("running")
    ended(daemon, "one")
    ended(daemon, "young", "2999-01-31T08:00:00Z")
    ended(daemon, "two").end(1)
    assert jobctl("prune", "--dry-run", "--older-than", "1h").stdout.split() == [b"one", b"two"]
    assert json.loads(jobctl("prune", "--dry-run", "--json").stdout) == {
        "dryRun": True,
        "removed": ["one", "young", "two"],
    }
    refused = jobctl("prune")
    assert refused.returncode == 2
    assert b"no terminal to ask on" in refused.stderr
    some = jobctl("prune", "-f", "--status", "failed")
    assert (some.stdout, some.stderr) == (b"two\n", b"jobctl: removed 1 job\n")
    assert jobctl("prune", "--yes").stdout == b"one\nyoung\n"
    assert list(daemon.jobs) == ["running"]
    assert jobctl("prune").returncode == 0, "nothing to remove, nothing to ask"


def test_a_job_under_the_id_of_an_ended_one_is_left_alone(daemon: Any, jobctl: Any) -> None:
    job = ended(daemon, "again")
    shown = job.view

    def look() -> dict[str, Any]:
        """Ended in the list, and by the next look a new one."""
        view: dict[str, Any] = shown()
        job.status, job.extra["uid"] = "running", "u-new"
        return view

    job.view = look
    done = jobctl("prune", "-f")
    assert (done.returncode, done.stdout) == (0, b"")
    assert "again" in daemon.jobs


@pytest.mark.parametrize(("answer", "code", "left"), [(b"y\n", 0, []), (b"\n", 1, ["a"])])
def test_prune_asks_on_a_terminal(
    daemon: Any, jobctl: Any, answer: bytes, code: int, left: list[str]
) -> None:
    ended(daemon, "a")
    main, other = pty.openpty()
    program = jobctl.start("prune", stdin=other, stderr=other, stdout=subprocess.PIPE)
    os.close(other)
    assert b"Remove 1 job with logs and files: a? [y/N]" in read_until(main, b"[y/N]")
    os.write(main, answer)
    out, _ = program.communicate(timeout=60)
    os.close(main)
    assert program.returncode == code
    assert out == (b"a\n" if code == 0 else b"")
    assert list(daemon.jobs) == left


def test_replay_of_a_job_sends_all_given_up_deliveries(daemon: Any, jobctl: Any) -> None:
    daemon.make("a")
    assert json.loads(jobctl("replay", "--job", "@last", "--json").stdout) == {"id": "a", "replayed": 3}
    assert jobctl("replay", "--job", "a").stdout == b"3\n"
    assert ("POST", "/v1/jobs/a/deliveries/replay") in [request[:2] for request in daemon.requests]
    assert jobctl("replay", "--job", "none").returncode == 4
    for wrong in (["replay"], ["replay", "--job", "a", "7"]):
        assert jobctl(*wrong).returncode == 2


def test_top_without_a_terminal_prints_once(daemon: Any, jobctl: Any) -> None:
    job = daemon.make("a")
    job.say("step 1")
    job.extra = {
        "limits": {"cpu": 2, "memory": 512},
        "usage": {"cpuSeconds": 1.5, "memoryPeakBytes": 40 << 20},
    }
    once = jobctl("top")
    assert once.returncode == 0, once.stderr
    head, line = once.stdout.decode().splitlines()
    assert head.split() == ["ID", "PHASE", "TIME", "ATTEMPT", "CPU", "MEMORY", "ACTIVITY"]
    assert line.split()[:2] == ["a", "running"]
    assert line.endswith("step 1")
    assert "40.0 MiB / 512 MiB" in line
    assert once.stderr == b"jobctl: 1 in progress, 0 queued\n"
    assert [job["id"] for job in json.loads(jobctl("top", "--json").stdout)["jobs"]] == ["a"]


def test_top_on_a_terminal_runs_until_ctrl_c_also_without_the_daemon(daemon: Any, jobctl: Any) -> None:
    jobctl.env |= {"TERM": "xterm-256color"}
    job = daemon.make("a")
    main, other = pty.openpty()
    program = jobctl.start("top", "--interval", "100ms", stdout=other)
    os.close(other)
    read_until(main, b"running")
    job.say("a new line")
    read_until(main, b"a new line")
    daemon.stop()
    read_until(main, b"not running at")
    daemon.start()
    job.say("back again")
    read_until(main, b"back again")
    program.send_signal(signal.SIGINT)
    read_to_end(main)
    assert program.wait(60) == 130
    assert program.stderr.read() == b""
    program.stderr.close()


def read_until(terminal: int, wanted: bytes) -> bytes:
    """Returns what a terminal has shown, once that holds what is waited for."""
    shown, deadline = b"", time.monotonic() + 20
    while wanted not in shown:
        assert time.monotonic() < deadline, shown[-4000:]
        ready, _, _ = select.select([terminal], [], [], 20)
        assert ready, shown
        shown += os.read(terminal, 65536)
    return shown


def read_to_end(terminal: int) -> None:
    try:
        while os.read(terminal, 65536):
            pass
    except OSError:
        pass  # the other side is closed
    os.close(terminal)
