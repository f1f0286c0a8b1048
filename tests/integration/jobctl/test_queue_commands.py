"""`jobctl group`, `pause`, `resume` and `bump` with a real jobd whose engine does not answer: all jobs wait."""

import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.daemon import Daemon


@pytest.fixture
def group() -> str:
    return f"g-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def waiting(jobd: Daemon, group: str) -> Iterator[list[str]]:
    """Three jobs of a paused group, in this order."""
    jobd.call("PUT", f"/v1/groups/{group}", {"paused": True})
    ids = [f"{group}-{letter}" for letter in "abc"]
    for job_id in ids:
        jobd.submit(id=job_id, image="busybox", group=group)
    yield ids
    for job_id in ids:
        jobd.call("POST", f"/v1/jobs/{job_id}/cancel")
        jobd.ended(job_id)
    jobd.call("DELETE", f"/v1/groups/{group}")


def group_of(jobd: Daemon, name: str) -> Any:
    return jobd.call("GET", f"/v1/groups/{name}").json


def order(jobd: Daemon, ids: list[str]) -> list[str]:
    """Returns the last letters of the waiting jobs in the order of the queue."""
    jobs = [jobd.call("GET", f"/v1/jobs/{job_id}").json for job_id in ids]
    return [job["id"][-1] for job in sorted(jobs, key=lambda job: job["queuePosition"])]


def rows(text: str) -> dict[str, list[str]]:
    head, *lines = text.splitlines()
    assert head.split() == ["GROUP", "LIMIT", "PAUSED", "RUNNING", "WAITING"]
    return {line.split()[0]: line.split()[1:] for line in lines}


# -- groups


def test_a_group_is_set_listed_and_removed(jobd: Daemon, group: str) -> None:
    done = jobd.jobctl("group", "set", group, "--max", "2")
    assert (done.returncode, rows(done.stdout)) == (0, {group: ["2", "-", "0", "0"]}), done.stderr
    assert rows(jobd.jobctl("group", "ls").stdout)[group] == ["2", "-", "0", "0"]
    assert rows(jobd.jobctl("group").stdout) == rows(jobd.jobctl("group", "ls").stdout)
    assert group in jobd.jobctl("group", "ls", "-o", "name").stdout.split()
    assert rows(jobd.jobctl("group", "set", group, "--no-max").stdout) == {group: ["-", "-", "0", "0"]}
    listed = json.loads(jobd.jobctl("group", "ls", "--json").stdout)
    assert {"name": group, "running": 0, "waiting": 0} in listed["groups"]
    assert jobd.jobctl("group", "rm", group).stdout == f"{group}\n"
    assert jobd.call("GET", f"/v1/groups/{group}").status == 404


def test_a_group_is_paused_and_resumed(jobd: Daemon, group: str, waiting: list[str]) -> None:
    assert rows(jobd.jobctl("group", "ls").stdout)[group] == ["-", "yes", "0", "3"]
    assert json.loads(jobd.jobctl("group", "resume", group, "--json").stdout)["name"] == group
    assert "paused" not in group_of(jobd, group)
    paused = jobd.jobctl("group", "pause", group)
    assert rows(paused.stdout)[group][1] == "yes"
    assert group_of(jobd, group)["paused"] is True


def test_a_limit_leaves_the_pause_of_its_group(jobd: Daemon, group: str, waiting: list[str]) -> None:
    assert jobd.jobctl("group", "set", group, "--max", "1").returncode == 0
    assert (group_of(jobd, group)["limit"], group_of(jobd, group)["paused"]) == (1, True)


@pytest.mark.parametrize("action", ["pause", "resume", "rm"])
def test_an_unknown_group_is_refused_with_similar_names(jobd: Daemon, group: str, action: str) -> None:
    jobd.call("PUT", f"/v1/groups/{group}", {"limit": 1})
    typed = group[:-1] + "x"
    done = jobd.jobctl("group", action, typed)
    assert (done.returncode, done.stdout) == (4, "")
    assert f"did you mean: jobctl group {action} {group}" in done.stderr
    far = jobd.jobctl("group", action, "nothing-like-that")
    assert far.returncode == 4
    assert "jobctl group ls" in far.stderr
    assert jobd.jobctl("group", "rm", group).returncode == 0


def test_a_group_with_waiting_jobs_is_not_removed(jobd: Daemon, group: str, waiting: list[str]) -> None:
    done = jobd.jobctl("group", "rm", group)
    assert (done.returncode, done.stdout) == (6, "")
    assert "3 jobs" in done.stderr
    assert group_of(jobd, group)["waiting"] == 3


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("set", "G", "--max", "-1"), "--max must be at least 1"),
        (("set", "G", "--max", "0"), "jobctl group pause G"),
        (("set", "G", "--max", "many"), "many"),
        (("set", "G", "--max", "9999999"), "1000000"),
        (("set", "G"), "--max N or --no-max"),
        (("set", "G", "--max", "1", "--no-max"), "contradict"),
        (("set", "-x", "--max", "1"), "-x"),
        (("set", "a/b", "--max", "1"), "name"),
        (("set",), "name of a group"),
        (("pause", "G", "--max", "1"), "--max"),
        (("ls", "G"), "ls"),
        (("rm", "G", "--running"), "--running"),
        (("puase", "G"), "did you mean: jobctl group pause"),
        (("frobnicate", "G"), "set, ls, pause, resume, rm"),
        (("set", "G", "--max", "1", "-o", "wide"), "-o wide"),
    ],
)
def test_what_is_not_understood_changes_nothing(
    jobd: Daemon, group: str, arguments: tuple[str, ...], said: str
) -> None:
    before = jobd.call("GET", "/v1/queue").json
    done = jobd.jobctl("group", *(group if word == "G" else word for word in arguments))
    assert done.stdout == ""
    assert done.returncode in (1, 2), done.stderr
    assert said.replace(" G", f" {group}") in done.stderr
    assert jobd.call("GET", "/v1/queue").json == before


# -- the queue


def test_the_queue_is_paused_and_resumed(jobd: Daemon) -> None:
    paused = jobd.jobctl("pause")
    assert (paused.returncode, paused.stdout) == (0, "")
    assert "no job starts" in paused.stderr
    assert jobd.call("GET", "/v1/queue").json["paused"] is True
    assert "jobctl resume" in jobd.jobctl("group", "ls").stderr
    assert json.loads(jobd.jobctl("pause", "--json").stdout)["paused"] is True
    resumed = jobd.jobctl("resume", "--json")
    assert "paused" not in json.loads(resumed.stdout)
    assert "paused" not in jobd.call("GET", "/v1/queue").json
    assert "jobs start again" in jobd.jobctl("resume").stderr


def test_an_unknown_job_is_not_paused(jobd: Daemon) -> None:
    for command in ("pause", "resume"):
        done = jobd.jobctl(command, "no-such-job")
        assert (done.returncode, done.stdout) == (4, "")
    assert "paused" not in jobd.call("GET", "/v1/queue").json


# -- ls


def test_a_list_has_positions_and_groups_where_a_job_has_them(
    jobd: Daemon, group: str, waiting: list[str]
) -> None:
    usual = ["ID", "STATUS", "PHASE", "EXIT", "AGE", "IMAGE"]
    head, *lines = jobd.jobctl("ls").stdout.splitlines()
    assert head.split() == [*usual, "POSITION", "GROUP"]
    cells = {line.split()[0]: line.split()[6:] for line in lines}
    assert [cells[job_id][1] for job_id in waiting] == [group] * 3
    assert [int(cells[job_id][0]) for job_id in waiting] == sorted(
        int(cells[job_id][0]) for job_id in waiting
    )
    ended = jobd.jobctl("ls", "--status", "completed").stdout
    assert ended.split() == usual
    assert "POSITION" in jobd.jobctl("ls", "--status", "completed", "-o", "wide").stdout.split()


def test_a_list_can_be_that_of_one_group(jobd: Daemon, group: str, waiting: list[str]) -> None:
    jobd.submit(id=f"{group}-other", image="busybox")
    assert jobd.jobctl("ls", "-q", "--group", group).stdout.split() == waiting[::-1]
    limited = jobd.jobctl("ls", "--group", group, "--limit", "2", "--json")
    assert [job["id"] for job in json.loads(limited.stdout)["jobs"]] == waiting[:0:-1]
    assert json.loads(limited.stdout)["more"] is True
    whole = json.loads(jobd.jobctl("ls", "--group", group, "--limit", "3", "--json").stdout)
    assert (len(whole["jobs"]), whole["more"]) == (3, False)
    assert f"{group}-other" in jobd.jobctl("ls", "-q", "--group", "default").stdout.split()
    assert jobd.jobctl("ls", "-q", "--group", "no-such").stdout == ""
    assert jobd.jobctl("ls", "-q", "--group", "").returncode == 2
    jobd.call("POST", f"/v1/jobs/{group}-other/cancel")
    jobd.ended(f"{group}-other")


# -- bump


def test_a_bumped_job_is_the_first_of_all(jobd: Daemon, waiting: list[str]) -> None:
    assert order(jobd, waiting) == ["a", "b", "c"]
    done = jobd.jobctl("bump", waiting[2])
    assert (done.returncode, done.stdout) == (0, f"{waiting[2]}\n"), done.stderr
    assert order(jobd, waiting) == ["c", "a", "b"]


def test_several_jobs_are_bumped_in_the_given_order(jobd: Daemon, waiting: list[str]) -> None:
    done = jobd.jobctl("bump", waiting[2], waiting[1], "--json")
    assert json.loads(done.stdout) == {"bumped": [waiting[2], waiting[1]]}
    assert order(jobd, waiting) == ["c", "b", "a"]


def test_a_priority_can_be_set(jobd: Daemon, waiting: list[str]) -> None:
    assert jobd.jobctl("bump", "--priority", "-5", waiting[0]).returncode == 0
    assert jobd.jobctl("bump", waiting[1], "--priority=7").returncode == 0
    found = [jobd.call("GET", f"/v1/jobs/{job_id}").json.get("priority", 0) for job_id in waiting]
    assert found == [-5, 7, 0]
    assert order(jobd, waiting) == ["b", "c", "a"]
    refused = jobd.jobctl("bump", "--priority", "101", waiting[0])
    assert refused.returncode == 1
    assert "priority: must be from -100 to 100" in refused.stderr


def test_a_job_that_does_not_wait_is_named(jobd: Daemon, waiting: list[str]) -> None:
    jobd.call("POST", f"/v1/jobs/{waiting[0]}/cancel")
    jobd.ended(waiting[0])
    done = jobd.jobctl("bump", waiting[0], waiting[2], "no-such-job")
    assert (done.returncode, done.stdout) == (4, f"{waiting[2]}\n"), done.stderr
    assert f"job '{waiting[0]}' does not wait: it is cancelled" in done.stderr
    assert "no job 'no-such-job'" in done.stderr
    alone = jobd.jobctl("bump", waiting[0])
    assert alone.returncode == 6
    assert "jobctl ls" in alone.stderr
