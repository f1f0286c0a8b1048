"""The endpoints of sets: numbers, pages, the jobs of a set, and the cancel of a whole set."""

import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.daemon import Daemon


@pytest.fixture
def killed(tmp_path: Any, no_engine: dict[str, str]) -> Iterator[Daemon]:
    made = Daemon(tmp_path, environ=no_engine)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def name() -> str:
    return f"set-{uuid.uuid4().hex[:8]}"


def submit(daemon: Daemon, name: str, count: int) -> list[str]:
    return [daemon.submit(id=f"{name}-{n}", image="busybox", set=name) for n in range(count)]


def test_a_set_is_shown_listed_and_its_jobs_are_listed(lonely: Daemon, name: str) -> None:
    lonely.call("POST", "/v1/queue/pause")
    submit(lonely, name, 3)
    submit(lonely, f"{name}-2", 1)
    lonely.submit(id=f"{name}-other", image="busybox")
    shown = lonely.call("GET", f"/v1/sets/{name}").json
    assert shown.pop("createdAt").endswith("Z")
    numbers = {"total": 3, "waiting": 3, "running": 0, "completed": 0, "failed": 0, "cancelled": 0}
    assert shown == {"id": name, **numbers}
    page = lonely.call("GET", "/v1/sets?limit=1").json
    assert [one["id"] for one in page["sets"]] == [f"{name}-2"]
    following = lonely.call("GET", f"/v1/sets?limit=1&cursor={page['next']}").json
    assert [one["id"] for one in following["sets"]] == [name]
    jobs = lonely.call("GET", f"/v1/jobs?set={name}").json["jobs"]
    assert [job["id"] for job in jobs] == [f"{name}-{n}" for n in (2, 1, 0)]
    assert {job["set"] for job in jobs} == {name}
    assert lonely.call("GET", f"/v1/jobs?set={name}&status=failed").json["jobs"] == []
    assert "set" not in lonely.call("GET", f"/v1/jobs/{name}-other").json
    lonely.call("POST", "/v1/queue/resume")


def test_a_set_is_cancelled_at_once_and_again(lonely: Daemon, name: str) -> None:
    ids = submit(lonely, name, 5)
    lonely.submit(id=f"{name}-other", image="busybox")
    answer = lonely.call("POST", f"/v1/sets/{name}/cancel", {"reason": "wrong data", "by": "me"})
    assert (answer.status, answer.json) == (202, {"id": name, "status": "cancelling", "jobs": 5})
    for job_id in ids:
        ended = lonely.ended(job_id)
        assert (ended["status"], ended["cancelledBy"], ended["cancelReason"]) == (
            "cancelled",
            "me",
            "wrong data",
        )
    assert lonely.call("GET", f"/v1/jobs/{name}-other").json["status"] == "accepted"
    shown = lonely.call("GET", f"/v1/sets/{name}").json
    assert (shown["cancelled"], shown["waiting"]) == (5, 0)
    assert shown["finishedAt"] >= shown["createdAt"]
    assert lonely.call("POST", f"/v1/sets/{name}/cancel").json["jobs"] == 0


def test_an_unknown_set_and_wrong_values_are_refused(lonely: Daemon, name: str) -> None:
    for method, path in (("GET", f"/v1/sets/{name}"), ("POST", f"/v1/sets/{name}/cancel")):
        refused = lonely.call(method, path)
        assert (refused.status, refused.json["error"]) == (404, f"no set {name!r}")
    for path, field in (
        ("/v1/sets/a%20b", "id"),
        ("/v1/sets?limit=101", "limit"),
        ("/v1/sets?cursor=x", "cursor"),
    ):
        refused = lonely.call("GET", path)
        assert (refused.status, refused.json["field"]) == (400, field)
    wrong = lonely.call("POST", "/v1/jobs", {"id": name, "image": "busybox", "set": "a b"})
    assert (wrong.status, wrong.json["field"]) == (400, "set")
    assert lonely.call("POST", f"/v1/sets/{name}/cancel", {"graceSeconds": -1}).status == 400
    assert lonely.call("GET", f"/v1/jobs?set={name}").json["jobs"] == []


def test_sets_and_their_cancel_survive_a_kill(killed: Daemon, name: str) -> None:
    killed.call("POST", "/v1/queue/pause")
    submit(killed, name, 20)
    killed.kill()
    killed.start()
    assert killed.call("GET", f"/v1/sets/{name}").json["waiting"] == 20
    assert killed.call("POST", f"/v1/sets/{name}/cancel").json["jobs"] == 20
    killed.kill()
    killed.start()
    for n in range(20):
        assert killed.ended(f"{name}-{n}")["status"] == "cancelled"
    assert killed.call("GET", f"/v1/sets/{name}").json["cancelled"] == 20


def test_a_temporary_group_stays_temporary_until_it_is_set_otherwise(killed: Daemon) -> None:
    assert killed.call("PUT", "/v1/groups/s", {"limit": 2, "temporary": True}).json["temporary"] is True
    assert killed.call("PUT", "/v1/groups/s", {"limit": 3}).json["temporary"] is True
    killed.kill()
    killed.start()
    assert killed.call("GET", "/v1/groups/s").json["temporary"] is True
    assert "temporary" not in killed.call("PUT", "/v1/groups/s", {"limit": 3, "temporary": False}).json
