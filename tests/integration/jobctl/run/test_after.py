"""`jobctl run --after @last` waits for the user's newest job."""

import subprocess
import sys
from typing import Any

import pytest


@pytest.mark.parametrize(
    ("given", "after"),
    [
        (("--after", "@last"), [{"job": "b"}]),
        (("--after", "@last:any, a:failed"), [{"job": "b", "on": "any"}, {"job": "a", "on": "failed"}]),
        (("--after", "b", "--after", "@last"), [{"job": "b"}]),
        (("--after", "@la"), [{"job": "@la"}]),
    ],
)
@pytest.mark.parametrize("command", [("run",), ("submit",)])
def test_after_takes_the_newest_job(
    daemon: Any, jobctl: Any, command: Any, given: Any, after: list[dict[str, str]]
) -> None:
    daemon.make("a")
    daemon.make("b")
    daemon.on_submit = lambda job: job.end(0)
    assert jobctl(*command, *given, "--name", "c", "busybox").returncode == 0
    assert daemon.jobs["c"].spec["after"] == after


def test_after_the_newest_job_of_a_user_without_jobs(daemon: Any, jobctl: Any) -> None:
    done = jobctl("run", "--after", "@last", "busybox")
    assert (done.returncode, daemon.jobs) == (125, {})
    assert b"this user has no jobs yet" in done.stderr


def test_a_dependency_on_an_id_costs_no_request_and_no_import(daemon: Any, jobctl: Any) -> None:
    arguments = ["run", "-d", "--after", "a:any", "busybox"]
    code = f"import sys, jobctl.main; jobctl.main.run({arguments!r}); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", code], env=jobctl.env, capture_output=True, timeout=60, check=True
    )
    assert "jobctl.selection.ids" not in done.stderr.decode().split()
    assert [method for method, *_ in daemon.requests] == ["POST"]
