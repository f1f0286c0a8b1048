"""The endpoints of the queue and its groups; their settings survive a kill of jobd."""

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


def test_settings_survive_a_kill_right_after_the_answer(killed: Daemon) -> None:
    assert killed.call("PUT", "/v1/groups/gpu", {"limit": 2}).json == {
        "name": "gpu",
        "running": 0,
        "waiting": 0,
        "limit": 2,
    }
    killed.call("PUT", "/v1/groups/night", {})
    assert killed.call("POST", "/v1/groups/night/pause").json["paused"] is True
    assert killed.call("POST", "/v1/queue/pause").json["paused"] is True
    killed.kill()
    killed.start()
    found = killed.call("GET", "/v1/queue").json
    assert found["paused"] is True
    assert {group["name"]: (group.get("limit"), group.get("paused", False)) for group in found["groups"]} == {
        "gpu": (2, False),
        "night": (None, True),
    }
    assert "paused" not in killed.call("POST", "/v1/queue/resume").json
    killed.kill()
    killed.start()
    assert "paused" not in killed.call("GET", "/v1/queue").json


def test_a_group_is_set_paused_shown_and_removed(lonely: Daemon, job_id: str) -> None:
    for method, path in (("GET", "/v1/groups/g1"), ("POST", "/v1/groups/g1/pause")):
        assert lonely.call(method, path).status == 404
    assert lonely.call("PUT", "/v1/groups/g1", {"limit": 1, "paused": True}).json["limit"] == 1
    assert lonely.call("PUT", "/v1/groups/g1", {"limit": None}).json["paused"] is True, "the pause stays"
    lonely.submit(id=job_id, image="busybox", group="g1")
    assert lonely.call("GET", f"/v1/jobs/{job_id}").json["group"] == "g1"
    assert lonely.call("GET", "/v1/groups/g1").json["waiting"] == 1
    refused = lonely.call("DELETE", "/v1/groups/g1")
    assert (refused.status, refused.json["code"]) == (409, "group-in-use")
    lonely.call("POST", f"/v1/jobs/{job_id}/cancel")
    lonely.ended(job_id)
    assert lonely.call("POST", "/v1/groups/g1/resume").json == {"name": "g1", "running": 0, "waiting": 0}
    assert lonely.call("DELETE", "/v1/groups/g1").status == 204
    assert lonely.call("DELETE", "/v1/groups/g1").status == 404


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/v1/groups/g", {"limit": 0}, "limit"),
        ("/v1/groups/g", {"limit": 1_000_001}, "limit"),
        ("/v1/groups/g", {"limit": "1"}, "limit"),
        ("/v1/groups/g", {"most": 1}, "most"),
        ("/v1/groups/-g", {"limit": 1}, "name"),
        ("/v1/groups/g%20h", {"limit": 1}, "name"),
    ],
)
def test_a_wrong_name_or_setting_is_refused_and_nothing_is_stored(
    lonely: Daemon, path: str, body: dict[str, Any], field: str
) -> None:
    refused = lonely.call("PUT", path, body)
    assert (refused.status, refused.json["field"]) == (400, field)
    assert "g" not in [group["name"] for group in lonely.call("GET", "/v1/queue").json["groups"]]


def test_a_waiting_job_changes_its_priority(lonely: Daemon, job_id: str) -> None:
    lonely.call("POST", "/v1/queue/pause")
    lonely.submit(id=job_id, image="busybox", priority=-100)
    path = f"/v1/jobs/{job_id}/priority"
    assert lonely.call("POST", path, {"priority": 7}).json["priority"] == 7
    assert lonely.call("POST", path).json["queuePosition"] == 1
    for body in ({"priority": 101}, {"priority": "1"}, {"rank": 1}):
        assert lonely.call("POST", path, body).status == 400
    lonely.call("POST", f"/v1/jobs/{job_id}/cancel")
    lonely.ended(job_id)
    assert (lonely.call("POST", path).status, lonely.call("POST", path).json["code"]) == (409, "not-waiting")
    lonely.call("POST", "/v1/queue/resume")


def test_a_pause_of_running_jobs_survives_a_kill_and_ends_with_the_resume(killed: Daemon) -> None:
    killed.call("PUT", "/v1/groups/gpu", {"limit": 2})
    for path in ("/v1/groups/gpu/pause", "/v1/queue/pause"):
        assert "runningPaused" not in killed.call("POST", path).json
        assert "runningPaused" not in killed.call("POST", path, {}).json
        assert killed.call("POST", path, {"running": True}).json["runningPaused"] is True
        assert killed.call("POST", path).json["runningPaused"] is True, "as before"
        refused = killed.call("POST", path, {"running": "yes"})
        assert (refused.status, refused.json["field"]) == (400, "running")
        refused = killed.call("POST", path, {"workers": True})
        assert (refused.status, refused.json["field"]) == (400, "workers")
    killed.kill()
    killed.start()
    found = killed.call("GET", "/v1/queue").json
    assert found["runningPaused"] is True
    assert found["groups"][0]["runningPaused"] is True
    assert "runningPaused" not in killed.call("POST", "/v1/groups/gpu/pause", {"running": False}).json
    assert "runningPaused" not in killed.call("POST", "/v1/queue/resume").json
    killed.kill()
    killed.start()
    found = killed.call("GET", "/v1/queue").json
    assert found.get("runningPaused") is None
    assert found["groups"][0] == {"name": "gpu", "running": 0, "waiting": 0, "limit": 2, "paused": True}


def test_one_waiting_job_is_paused_and_resumed(lonely: Daemon, job_id: str) -> None:
    assert lonely.call("POST", f"/v1/jobs/{job_id}/pause").status == 404
    lonely.call("PUT", "/v1/groups/g2", {"paused": True})
    lonely.submit(id=job_id, image="busybox", group="g2")
    view = lonely.call("POST", f"/v1/jobs/{job_id}/pause").json
    assert (view["paused"], view["waitingFor"]) == (True, "the job to be resumed: number 1 in the queue")
    assert "paused" not in lonely.call("POST", f"/v1/jobs/{job_id}/resume").json
    lonely.call("POST", f"/v1/jobs/{job_id}/cancel")
    lonely.ended(job_id)
    lonely.call("DELETE", "/v1/groups/g2")
    refused = lonely.call("POST", f"/v1/jobs/{job_id}/pause")
    assert (refused.status, refused.json["code"]) == (409, "ended")
