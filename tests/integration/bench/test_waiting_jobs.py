"""The long queue that the benchmark writes into a store: jobd takes the jobs up as its own, and starts none."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.bench import queue
from scripts.bench.support.load import LoadFailed, posts_per_s
from scripts.bench.support.waiting_jobs import keep_waiting
from tests.support.daemon import Daemon

NO_ENGINE = {"DOCKER_HOST": "unix:///nonexistent/engine.sock"}


@pytest.fixture
def jobd(tmp_path: Path) -> Iterator[Daemon]:
    keep_waiting(tmp_path / "jobd" / "state", 20, 4, 5)
    made = Daemon(tmp_path / "jobd", environ=NO_ENGINE).start()
    yield made
    made.stop()


def test_jobd_queues_the_jobs_in_their_groups_behind_their_dependencies(jobd: Daemon) -> None:
    view = jobd.call("GET", "/v1/queue").json
    assert (view["waiting"], view["running"], view["paused"]) == (20, 0, True)
    groups = [(group["name"], group["waiting"], group.get("limit")) for group in view["groups"]]
    assert groups == [("group-00", 5, 4), ("group-01", 5, None), ("group-02", 5, 4), ("group-03", 5, None)]
    listed = jobd.call("GET", "/v1/jobs?limit=100").json["jobs"]
    dependent = {job["id"]: job["after"][0]["job"] for job in listed if "after" in job}
    assert dependent == {f"waits-{n:05}": f"waits-{n - 1:05}" for n in (3, 7, 11, 15, 19)}


async def test_each_body_is_posted_once(jobd: Daemon) -> None:
    bodies = [{"id": f"posted-{number}", "image": "busybox"} for number in range(10)]
    assert await posts_per_s(jobd.socket, "/v1/jobs", bodies, 3) > 0
    assert jobd.call("GET", "/v1/queue").json["waiting"] == 30
    with pytest.raises(LoadFailed, match="409"):
        await posts_per_s(jobd.socket, "/v1/jobs", bodies, 3)


def test_decisions_of_a_short_queue_are_measured() -> None:
    assert queue.decision_ms(60, 4, 5) > 0
