"""`jobctl retry` with real jobs: what runs again, what must be given again, and where the outputs go."""

import json
import os
import re
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.programs import Start, finished
from tests.support.daemon import FAILPOINTS, Daemon, until


@pytest.fixture
def name() -> str:
    return f"again-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def state(tmp_path: Path) -> dict[str, str]:
    """The environment of a user of his own, with the folder where jobctl notes destinations."""
    return {**os.environ, "XDG_STATE_HOME": str(tmp_path / "home")}


def view(daemon: Daemon, job_id: str) -> dict[str, Any]:
    found: dict[str, Any] = daemon.call("GET", f"/v1/jobs/{job_id}").json
    return found


def retried(daemon: Daemon, *arguments: str, **options: Any) -> list[str]:
    done = daemon.jobctl("retry", *arguments, **options)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_a_retry_runs_the_job_again_and_prints_its_new_id(
    daemon: Daemon, worker_image: str, name: str
) -> None:
    daemon.submit(id=name, image=worker_image, command="echo hi; exit 3", labels={"k": "v"})
    daemon.ended(name)
    new = retried(daemon, name, "--name", f"{name}-x")
    assert new == [f"{name}-x"]
    assert retried(daemon, name, "--name", f"{name}-x") == new
    ended = daemon.ended(new[0])
    assert (ended["exitCode"], ended["labels"], ended["retriedFrom"]) == (3, {"k": "v"}, name)
    assert daemon.log_lines(new[0])[0]["line"] == "hi"
    assert re.search(f"^Retried from: +{name}$", daemon.jobctl("show", new[0]).stdout, re.MULTILINE)
    (row,) = (
        line
        for line in daemon.jobctl("ls", "-a", "-o", "wide", "-l", "k=v").stdout.splitlines()
        if new[0] in line
    )
    assert name in row.split()
    assert f"(a retry of {name})" in daemon.jobctl("explain", new[0]).stdout
    both = daemon.jobctl("retry", name, new[0], "-o", "json")
    jobs = json.loads(both.stdout)["jobs"]
    assert [job["retriedFrom"] for job in jobs] == [name, new[0]]
    assert len({job["id"] for job in jobs}) == 2


def test_a_job_that_runs_is_refused(daemon: Daemon, worker_image: str, name: str) -> None:
    daemon.submit(id=name, image=worker_image, command="sleep 300")
    refused = daemon.jobctl("retry", name)
    assert (refused.returncode, refused.stdout) == (6, "")
    assert "has not ended yet; wait for its end, or cancel the job first" in refused.stderr
    assert daemon.jobctl("cancel", "--grace", "0", name).returncode == 0


def test_wrong_arguments_are_refused(daemon: Daemon, worker_image: str, name: str, tmp_path: Path) -> None:
    daemon.submit(id=name, image=worker_image, command="true", outputs=[{"path": "o"}])
    daemon.ended(name)
    for arguments, code, words in (
        ([], 2, "no job given"),
        ([name, "x", "--name", "y"], 2, "for one job"),
        (["--failed", name, "--out", "o=."], 2, "for one job"),
        (["-l", "a=b", name], 2, "--label needs --failed"),
        ([name, "--name", "-x-"], 1, "id"),
        ([name, "--secret", "x"], 2, "NAME=FILE"),
        ([name, "--in", "x=http://h/x"], 2, "local files"),
        ([name, "--in", f"x={tmp_path}/none"], 1, "cannot be read"),
        ([name, "--out", "p=."], 2, "without the output 'p'; its outputs: o"),
        ([name, "--out", "o=-"], 2, "stdout"),
        ([name, "--out", "o=http://h/o"], 2, "local destination"),
        ([name, "--after", "none-such"], 1, "no job 'none-such'"),
        (["none-such"], 4, "no job"),
    ):  # fmt: skip
        done = daemon.jobctl("retry", *arguments)
        assert (done.returncode, done.stdout) == (code, ""), (arguments, done.stderr)
        assert words in done.stderr, (arguments, done.stderr)
    assert len(daemon.call("GET", f"/v1/jobs?prefix={name}").json["jobs"]) == 1


def test_secrets_and_local_files_are_given_again(
    daemon: Daemon, worker_image: str, name: str, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text("t1")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "x").write_text("d1")
    given = ["--secret", "token=token", "--in", "data=data"]
    run = daemon.jobctl(
        "run", "--name", name, *given, "--sh", "cat data/x /run/secrets/token; exit 3", worker_image, cwd=tmp_path
    )  # fmt: skip
    assert (run.returncode, run.stdout) == (3, "d1t1")
    no_secret = daemon.jobctl("retry", name, *given[2:], cwd=tmp_path)
    assert (no_secret.returncode, no_secret.stdout) == (1, "")
    assert f"give them again: token (jobctl retry {name} --secret token=FILE)" in no_secret.stderr
    no_files = daemon.jobctl("retry", name, *given[:2], cwd=tmp_path)
    assert (no_files.returncode, no_files.stdout) == (1, "")
    assert f"jobctl retry {name} --in PATH=SOURCE" in no_files.stderr
    (tmp_path / "token").write_text("t2")
    (tmp_path / "data" / "x").write_text("d2")
    (new,) = retried(daemon, name, *given, cwd=tmp_path)
    assert daemon.ended(new)["exitCode"] == 3
    assert daemon.log_lines(new)[0]["line"] == "d2t2"


def test_outputs_go_where_those_of_the_old_job_went_or_to_a_new_place(
    daemon: Daemon, worker_image: str, name: str, tmp_path: Path, state: dict[str, str]
) -> None:
    script = "echo $HOSTNAME > o; echo 1 > p"
    run = daemon.jobctl(
        "submit", "--name", name, "--sh", script, "--out", "o=./first", "--out", "p=./second", worker_image,
        cwd=tmp_path, env=state,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert daemon.jobctl("wait", name, env=state).returncode == 0
    before = (tmp_path / "first").read_text()
    (new,) = retried(daemon, name, "--out", "p=third", cwd=tmp_path, env=state)
    (tmp_path / "second").unlink()
    waited = daemon.jobctl("wait", new, env=state)
    assert waited.returncode == 0, waited.stderr
    assert (tmp_path / "first").read_text() != before
    assert (tmp_path / "third").read_text() == "1\n"
    assert not (tmp_path / "second").exists()


def test_all_failed_jobs_of_a_label_run_again_once_and_wait_for_each_others_retries(
    daemon: Daemon, worker_image: str, name: str, tmp_path: Path
) -> None:
    """`good` stays; `bad` has failed, and `behind` with it; `behind` waits for the retry of `bad`."""
    labels = {"run": name}
    flag = f"{name}-ok"
    daemon.submit(id=f"{name}-good", image=worker_image, command="true", labels=labels)
    daemon.submit(id=f"{name}-bad", image=worker_image, command=f"hostname {flag}; exit 1", labels=labels)
    daemon.submit(
        id=f"{name}-behind", image=worker_image, command="true", labels=labels, after=[{"job": f"{name}-bad", "on": "failed"}]
    )  # fmt: skip
    daemon.submit(
        id=f"{name}-never", image=worker_image, command="true", labels=labels, after=[{"job": f"{name}-bad"}]
    )
    for job in ("good", "bad", "behind", "never"):
        daemon.ended(f"{name}-{job}")
    assert view(daemon, f"{name}-never")["reason"] == "dependency"
    new = retried(daemon, "--failed", "-l", f"run={name}")
    assert new == [f"{name}-bad-retry-1", f"{name}-never-retry-1"]
    assert view(daemon, new[1])["after"] == [{"job": new[0]}]
    assert daemon.ended(new[1])["reason"] == "dependency"
    again = retried(daemon, "--failed", "-l", f"run={name}")
    assert again == [f"{name}-bad-retry-2", f"{name}-never-retry-2"]
    assert view(daemon, again[1])["after"] == [{"job": again[0]}]
    ids = retried(daemon, "--failed", f"{name}-good", f"{name}-bad")
    assert [view(daemon, each)["retriedFrom"] for each in ids] == [f"{name}-bad"]
    nothing = daemon.jobctl("retry", "--failed", f"{name}-good")
    assert (nothing.returncode, nothing.stdout) == (0, "")
    assert "none has failed" in nothing.stderr


def test_a_lost_answer_makes_no_second_job(
    make_daemon: Callable[..., Daemon], start: Start, worker_image: str
) -> None:
    environ = {"DOCKER_HOST": "unix:///nonexistent/engine.sock", "JOBD_FAILPOINT": "after-commit:accepted:2"}
    daemon = make_daemon(environ=environ, module=FAILPOINTS).start()
    daemon.submit(id="a", image=worker_image)
    daemon.call("POST", "/v1/jobs/a/cancel")
    daemon.ended("a")
    program = start("retry", "a", at=daemon)
    process = daemon.process
    assert process is not None
    until(lambda: process.poll() is not None, "jobd dies after the commit")
    daemon.environ = {name: value for name, value in environ.items() if name != "JOBD_FAILPOINT"}
    daemon.start()
    assert finished(program)[:2] == (0, "a-retry-1\n")
    assert [job["id"] for job in daemon.call("GET", "/v1/jobs").json["jobs"]] == ["a-retry-1", "a"]
