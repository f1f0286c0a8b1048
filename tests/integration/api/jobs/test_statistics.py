"""`GET /v1/stats` and `jobctl stats`: real jobs in numbers, by image, group and label, also after a restart of jobd."""

import json
import uuid
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from tests.support.daemon import Daemon


@pytest.fixture(scope="module")
def team() -> str:
    return f"t{uuid.uuid4().hex[:8]}"


@pytest.fixture(scope="module")
def used(daemon: Daemon, worker_image: str, team: str) -> Daemon:
    """A daemon with two completed jobs and one failed job of a team, and one cancelled job."""
    for n, command in enumerate(("true", "sleep 0.3", "exit 3")):
        job_id = daemon.submit(
            id=f"{team}-{n}", image=worker_image, command=command, labels={"team": team}, group=team
        )
        daemon.ended(job_id)
    cancelled = daemon.submit(
        id=f"{team}-c", image=worker_image, command="sleep 60", labels={"team": team}, group=team
    )
    daemon.call("POST", f"/v1/jobs/{cancelled}/cancel", {"graceSeconds": 0})
    daemon.ended(cancelled)
    return daemon


at = datetime.fromisoformat


def of_key(found: dict[str, Any], key: str) -> dict[str, Any]:
    (one,) = [one for one in found["groups"] if one["key"] == key]
    return dict(one)


@pytest.mark.parametrize("by", ["group", "label:team"])
def test_ended_jobs_are_counted_by_key(used: Daemon, team: str, by: str) -> None:
    found = used.call("GET", f"/v1/stats?by={by}").json
    one = of_key(found, team)
    assert (one["jobs"], one["completed"], one["failed"], one["cancelled"]) == (4, 2, 1, 1)
    assert one["successRate"] == pytest.approx(2 / 3)
    assert one["reasons"] == {used.call("GET", f"/v1/jobs/{team}-2").json["reason"]: 1}
    assert one["running"]["max"] >= 0.3
    assert one["waiting"]["jobs"] == 4
    assert "inputs" not in one
    assert (
        sum(i.get("completed", 0) + i.get("failed", 0) + i.get("cancelled", 0) for i in found["intervals"])
        == found["total"]["jobs"]
    )


def test_the_phases_of_a_job_add_up_to_its_whole_time(used: Daemon, team: str) -> None:
    one = of_key(used.call("GET", "/v1/stats?by=group").json, team)
    jobs = [used.call("GET", f"/v1/jobs/{team}-{name}").json for name in ("0", "1", "2", "c")]
    total = sum((at(job["finishedAt"]) - at(job["createdAt"])).total_seconds() for job in jobs)
    spent = sum(one[phase]["total"] for phase in ("waiting", "pulling", "running"))
    assert spent == pytest.approx(total, abs=0.01)


def test_only_jobs_that_ended_since_are_counted(used: Daemon) -> None:
    found = used.call("GET", "/v1/stats?since=2100-01-01T00:00:00Z").json
    assert (found["total"]["jobs"], found["since"]) == (0, "2100-01-01T00:00:00.000000Z")
    assert "oldest" not in found


def test_a_retried_job_counts_the_time_of_all_attempts(daemon: Daemon, worker_image: str) -> None:
    group = f"g{uuid.uuid4().hex[:8]}"
    command = "sleep 0.2; exit 1"
    daemon.ended(daemon.submit(id=group, image=worker_image, command=command, group=group, retries=1))
    one = of_key(daemon.call("GET", "/v1/stats?by=group").json, group)
    assert one["running"]["max"] >= 0.4
    assert one["jobs"] == 1


def test_numbers_survive_a_kill_and_a_removed_job_is_not_counted(
    make_daemon: Callable[..., Daemon], worker_image: str
) -> None:
    daemon = make_daemon().start()
    for name in ("one", "two"):
        daemon.ended(daemon.submit(id=name, image=worker_image, command="true"))
    before = daemon.call("GET", "/v1/stats").json["total"]
    daemon.kill()
    daemon.start()
    assert daemon.call("GET", "/v1/stats").json["total"] == before
    assert daemon.call("DELETE", "/v1/jobs/one").status == 204
    assert daemon.call("GET", "/v1/stats").json["total"]["jobs"] == 1


@pytest.mark.parametrize(
    "query", ["by=", "by=colour", "by=label:", "since=7d", "limit=0", "limit=101", "what=1"]
)
def test_bad_parameters_are_refused_with_their_name(used: Daemon, query: str) -> None:
    answer = used.call("GET", f"/v1/stats?{query}")
    assert (answer.status, answer.json["field"]) == (400, query.partition("=")[0])


def test_the_command_prints_numbers(used: Daemon, team: str) -> None:
    done = used.jobctl("stats", "--since", "1h", "--by", "group")
    assert done.returncode == 0, done.stderr
    assert " jobs ended in the last 1h: " in done.stdout
    (row,) = [line for line in done.stdout.splitlines() if line.startswith(team)]
    assert row.split()[1:4] == ["4", "1", "66.6%"]
    assert "waiting" in done.stdout
    assert "█" not in done.stdout, "a pipe gets no plot"
    assert "removed jobs are not counted" in done.stderr


def test_the_command_prints_json(used: Daemon, team: str) -> None:
    done = used.jobctl("stats", "--by", "label", "--json")
    assert of_key(json.loads(done.stdout), f"team={team}")["jobs"] == 4


@pytest.mark.parametrize(
    "arguments", [["--by", "colour"], ["--by", "label:"], ["--since", "soon"], ["--limit", "0"]]
)
def test_a_wrong_flag_is_refused(used: Daemon, arguments: list[str]) -> None:
    done = used.jobctl("stats", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert arguments[0] in done.stderr
