"""Sets with a real jobd and a real engine: a sweep, a file with several jobs, waiting and cancelling."""

import json
import signal
import uuid
from pathlib import Path

import pytest

from tests.e2e.programs import Start
from tests.support.daemon import DEADLINE_S, Daemon, until


@pytest.fixture
def name() -> str:
    return f"set-{uuid.uuid4().hex[:8]}"


def test_a_sweep_runs_every_combination_and_fetches_its_outputs(
    daemon: Daemon, worker_image: str, tmp_path: Path, name: str
) -> None:
    swept = (
        "sweep", "--set", name, "--max", "2", "--each", "n=1..2", "--each", "word=a,b", "--out", f"r={tmp_path}/{{word}}-{{n}}",
        "-l", "word={word}", "-e", "N={n}", "--sh", "echo {word} $N ${{N}} > r", worker_image,
    )  # fmt: skip
    done = daemon.jobctl(*swept)
    assert done.returncode == 0, done.stderr
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        f"{word}-{n}": f"{word} {n} {n}\n" for word in "ab" for n in (1, 2)
    }
    assert f"{name}: 4 jobs submitted" in done.stderr
    assert f"{name}: 4 completed" in done.stderr
    jobs = json.loads(daemon.jobctl("ls", "-a", "--set", name, "--json").stdout)["jobs"]
    assert [(job["id"], job["labels"]["word"], job["group"]) for job in jobs] == [
        (f"{name}-{n}", word, name) for n, word in ((4, "b"), (3, "a"), (2, "b"), (1, "a"))
    ]
    again = daemon.jobctl(*swept)
    assert again.returncode == 0
    assert "4 of them before" in again.stderr
    assert len(json.loads(daemon.jobctl("ls", "-a", "--set", name, "--json").stdout)["jobs"]) == 4


def test_a_failed_job_gives_its_code_and_is_named(daemon: Daemon, worker_image: str, name: str) -> None:
    done = daemon.jobctl("sweep", "--set", name, "--each", "c=0,7,0", "--sh", "exit {c}", worker_image)
    assert done.returncode == 7
    assert f"{name}: 2 completed, 1 failed" in done.stderr
    assert f"{name}-2 failed with exit code 7" in done.stderr
    waited = daemon.jobctl("wait", name)
    assert (waited.returncode, waited.stdout) == (7, f"{name}  2 completed, 1 failed\n")
    assert name in daemon.jobctl("sets", "-q").stdout.split()


def test_a_detached_set_is_cancelled_by_its_id(daemon: Daemon, worker_image: str, name: str) -> None:
    begun = daemon.jobctl(
        "sweep", "-d", "--set", name, "--max", "1", "--each", "n=1..5", worker_image, "sleep", "{n}00"
    )
    assert (begun.returncode, begun.stdout) == (0, f"{name}\n")
    until(lambda: daemon.call("GET", f"/v1/sets/{name}").json["running"] == 1, "a job runs")
    cancelled = daemon.jobctl("cancel", "--grace", "0", name)
    assert (cancelled.returncode, cancelled.stdout) == (0, f"{name}\n")
    waited = daemon.jobctl("wait", "--set", name)
    assert (waited.returncode, waited.stdout) == (121, f"{name}  5 cancelled\n")
    starts = [job.get("startedAt") for job in daemon.call("GET", f"/v1/jobs?set={name}").json["jobs"]]
    assert sum(start is not None for start in starts) <= 1


def test_ctrl_c_leaves_the_jobs_and_says_how_to_wait_and_cancel(
    daemon: Daemon, worker_image: str, start: Start, name: str
) -> None:
    program = start("sweep", "--set", name, "--each", "n=1..2", worker_image, "sleep", "{n}00")
    until(lambda: daemon.call("GET", f"/v1/sets/{name}").json.get("running") == 2, "both jobs run")
    program.send_signal(signal.SIGINT)
    _, err = program.communicate(timeout=DEADLINE_S)
    assert program.returncode == 130
    assert f"jobctl wait {name}; to end them: jobctl cancel {name}" in err.decode()
    assert daemon.call("GET", f"/v1/sets/{name}").json["running"] == 2
    daemon.jobctl("cancel", "--grace", "0", "--set", name)


def test_a_file_of_several_jobs_runs_them_in_their_order(
    daemon: Daemon, worker_image: str, tmp_path: Path, name: str
) -> None:
    (tmp_path / "f.yaml").write_text(f"""
jobs:
  last: {{image: "{worker_image}", command: "echo last", after: ["middle"]}}
  middle:
    image: "{worker_image}"
    command: "echo {{n}} ${{{{HOME}}}}"
    matrix: {{n: 1..3}}
    after: first
  first: {{image: "{worker_image}", command: "echo first"}}
""")
    valid = daemon.jobctl("validate", "-f", f"{tmp_path}/f.yaml")
    assert (valid.returncode, valid.stdout) == (0, f"{tmp_path}/f.yaml: valid\n"), valid.stdout
    done = daemon.jobctl("run", "-f", f"{tmp_path}/f.yaml", "--set", name)
    assert done.returncode == 0, done.stderr
    jobs = {job["id"]: job for job in daemon.call("GET", f"/v1/jobs?set={name}").json["jobs"]}
    assert sorted(jobs) == sorted(
        [f"{name}-first", f"{name}-last", *(f"{name}-middle-{n}" for n in (1, 2, 3))]
    )
    assert jobs[f"{name}-last"]["startedAt"] > max(
        jobs[f"{name}-middle-{n}"]["finishedAt"] for n in (1, 2, 3)
    )
    assert daemon.jobctl("logs", f"{name}-middle-2").stdout == "2 /root\n"


def test_the_failed_jobs_of_a_set_run_again_with_the_files_of_each_others_retries(
    daemon: Daemon, worker_image: str, name: str, tmp_path: Path
) -> None:
    """`b` leaves a file and fails, again and again. `c` needs the completion of `b`, `d` only its end."""
    take = "artifacts: [{id: f, type: job, job: b, in: f, out: f}]"
    (tmp_path / "jobs.yaml").write_text(
        f"""
x-job: &job {{image: "{worker_image}", command: "cat f"}}
jobs:
  a: {{<<: *job, command: "true"}}
  b: {{<<: *job, after: [a], command: "echo $HOSTNAME | tee f; exit 3"}}
  c: {{<<: *job, {take}}}
  d: {{<<: *job, {take}, after: ["b:any"]}}
"""
    )
    first = daemon.jobctl("run", "-f", str(tmp_path / "jobs.yaml"), "--set", name)
    assert first.returncode == 3, first.stderr
    assert f"{name}: 2 completed, 1 failed, 1 cancelled" in first.stderr
    alone = daemon.jobctl("retry", f"{name}-c")
    assert (alone.returncode, alone.stdout) == (6, "")
    assert f"jobctl retry {name}-b {name}-c" in alone.stderr
    for number in (1, 2):
        again = daemon.jobctl("retry", "--failed", name)
        assert again.stdout.split() == [f"{name}-b-retry-{number}", f"{name}-c-retry-{number}"], again.stderr
        assert daemon.ended(f"{name}-b-retry-{number}")["exitCode"] == 3
        ended = daemon.ended(f"{name}-c-retry-{number}")
        assert (ended["status"], ended["reason"]) == ("cancelled", "dependency")
        assert ended["artifacts"][0]["job"] == f"{name}-b-retry-{number}"
        assert ended["set"] == name
    both = daemon.jobctl("retry", f"{name}-b", f"{name}-d")
    assert both.returncode == 0, both.stderr
    lines = []
    for job in both.stdout.split():
        daemon.ended(job)
        lines.append(daemon.log_lines(job)[0]["line"])
    assert lines[0] == lines[1] != daemon.log_lines(f"{name}-d")[0]["line"]
