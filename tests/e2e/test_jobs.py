"""The exit code, the containers, cancels and retries of a job, through a real daemon and a real engine."""

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import docker
import pytest

from tests.e2e.jobs import ARTIFACT, COMPLETE, EXIT, LOG, RETRY, START, again, gone, resources, wait_running
from tests.support.daemon import Daemon, Receiver, until


@pytest.mark.parametrize("code", [0, 1, 7, 126, 255])
def test_the_exit_code_is_that_of_the_command(
    daemon: Daemon, worker_image: str, job_id: str, code: int
) -> None:
    daemon.submit(id=job_id, image=worker_image, command=f"exit {code}")
    view = daemon.ended(job_id)
    assert view["exitCode"] == code
    assert view["status"] == ("completed" if code == 0 else "failed")
    assert view.get("reason") == (None if code == 0 else "exit-code")


@pytest.mark.parametrize("init", [True, False])
def test_a_missing_command_has_the_same_code_in_the_job_its_events_and_its_log(
    daemon: Daemon, receiver: Receiver, worker_image: str, job_id: str, init: bool
) -> None:
    """The init of a container starts, and then cannot execute the command."""
    path = f"/{job_id}"
    daemon.submit(
        id=job_id,
        image=worker_image,
        command=["no-such-command"],
        init=init,
        callback={"url": receiver.url(path)},
    )
    assert (daemon.ended(job_id)["exitCode"], daemon.ended(job_id)["reason"]) == (127, "start-failed")
    events = receiver.complete(path)
    assert [(e["type"], e["data"]["exitCode"]) for e in events[-2:]] == [(EXIT, 127), (COMPLETE, 127)]
    assert "does not exist in the image" in events[-2]["data"]["error"]
    assert len(events) == (4 if init else 2), "with an init a start, and what the init prints"
    assert daemon.log_lines(job_id)[-1]["end"]["exitCode"] == 127


@pytest.mark.parametrize(
    "jobs",
    [
        8,
        pytest.param(
            30,
            marks=pytest.mark.fault(
                row="Worker",
                injection="30 workers that end at once, eight beside each other, each twice",
                invariant="the times of jobs, attempts and events are in one order",
            ),
        ),
    ],
)
def test_the_times_of_short_jobs_are_in_one_order(
    daemon: Daemon, receiver: Receiver, worker_image: str, job_id: str, jobs: int
) -> None:
    ids = [f"{job_id}-{number}" for number in range(jobs)]

    def run(each: str) -> dict[str, Any]:
        daemon.submit(
            id=each,
            image=worker_image,
            command=["false"],
            retries=1,
            callback={"url": receiver.url(f"/{each}")},
        )
        return daemon.ended(each)

    with ThreadPoolExecutor(8) as pool:
        views = list(pool.map(run, ids))
    for view in views:
        moments = [view["createdAt"]]
        for attempt in view["attempts"]:
            moments += [attempt["startedAt"], attempt["finishedAt"]]
        moments.append(view["finishedAt"])
        assert moments == sorted(moments)
        assert view["startedAt"] == view["attempts"][-1]["startedAt"]
        events = receiver.complete(f"/{view['id']}")
        assert [event["time"] for event in events] == sorted(event["time"] for event in events)
        assert events[-1]["time"] >= view["finishedAt"]


def test_one_container_without_artifacts_two_with(
    daemon: Daemon, docker_client: docker.DockerClient, worker_image: str, job_id: str
) -> None:
    plain, moved = f"{job_id}-p", f"{job_id}-m"
    daemon.submit(id=plain, image=worker_image, command="true")
    write = {"id": "w", "type": "write", "in": "hello", "out": "in.txt"}
    daemon.submit(id=moved, image=worker_image, command="cat in.txt", artifacts=[write])
    for name, roles in ((plain, {"worker"}), (moved, {"worker", "sidecar"})):
        assert daemon.ended(name)["status"] == "completed"
        containers, volumes = resources(docker_client, name)
        assert {c["Names"][0] for c in containers} == {f"/job-{name}-{role}" for role in roles}
        assert {c["Labels"]["job.type"] for c in containers} == roles
        assert all(c["Labels"]["managed-by"] == "jobs-service" for c in containers)
        assert [v["Name"] for v in volumes] == [f"job-{name}-workspace"]
    for name in (plain, moved):
        assert daemon.call("DELETE", f"/v1/jobs/{name}").status == 204
        assert daemon.call("GET", f"/v1/jobs/{name}").status == 404
        gone(docker_client, name)


def test_a_deleted_running_job_says_that_it_was_cancelled_and_frees_its_id(
    daemon: Daemon, receiver: Receiver, docker_client: docker.DockerClient, worker_image: str, job_id: str
) -> None:
    path = f"/{job_id}"
    spec = {
        "id": job_id,
        "image": worker_image,
        "command": "trap 'exit 0' TERM; echo up; sleep 600 & wait",
        "callback": {"url": receiver.url(path)},
    }
    daemon.submit(**spec)
    wait_running(daemon, job_id)
    assert daemon.call("POST", "/v1/jobs", spec).status == 409
    assert daemon.call("DELETE", f"/v1/jobs/{job_id}").status == 204
    assert daemon.call("GET", f"/v1/jobs/{job_id}").status == 404
    assert daemon.call("DELETE", f"/v1/jobs/{job_id}").status == 404
    events = receiver.complete(path)
    assert events[-1]["data"]["status"] == "cancelled"
    assert [e["type"] for e in events].count(EXIT) == 1
    gone(docker_client, job_id)
    again(daemon, {**spec, "command": "true"})
    assert daemon.ended(job_id)["status"] == "completed"


def test_cancel_keeps_the_record_with_who(daemon: Daemon, worker_image: str, job_id: str) -> None:
    daemon.submit(id=job_id, image=worker_image, command="trap 'exit 9' TERM; echo up; sleep 600 & wait")
    wait_running(daemon, job_id)
    assert daemon.call("POST", f"/v1/jobs/{job_id}/cancel", {"by": "a person"}).status == 202
    view = daemon.ended(job_id)
    assert (view["status"], view["reason"], view["cancelledBy"]) == ("cancelled", "cancelled", "a person")
    assert daemon.call("POST", f"/v1/jobs/{job_id}/cancel").status == 409


def test_cancel_takes_a_signal_and_a_reason(daemon: Daemon, worker_image: str, job_id: str) -> None:
    script = "trap 'echo interrupted; exit 9' INT; echo up; while true; do sleep 0.1; done"
    daemon.submit(id=job_id, image=worker_image, command=script)
    until(lambda: daemon.log_lines(job_id), f"{job_id} is up")
    body = {"reason": "wrong input", "signal": "SIGINT", "graceSeconds": 60}
    assert daemon.call("POST", f"/v1/jobs/{job_id}/cancel", body).status == 202
    view = daemon.ended(job_id)
    assert (view["status"], view["exitCode"], view["cancelReason"]) == ("cancelled", 9, "wrong input")
    assert view["error"].endswith(": wrong input")
    assert [line["line"] for line in daemon.log_lines(job_id)[:-1]] == ["up", "interrupted"]


def test_a_worker_is_measured_while_it_runs(daemon: Daemon, worker_image: str, job_id: str) -> None:
    daemon.submit(
        id=job_id,
        image=worker_image,
        command="x=$(head -c 20000000 /dev/zero | tr '\\0' x); while true; do :; done",
    )

    def measured() -> Any:
        found = daemon.call("GET", f"/v1/jobs/{job_id}").json.get("usage")
        return found if found and found["cpuSeconds"] > 0 and found["memoryPeakBytes"] > 20_000_000 else None

    usage = until(measured, "the worker is measured once it has used its memory")
    shown = next(
        line for line in daemon.jobctl("top", "--once").stdout.splitlines() if line.startswith(f"{job_id} ")
    )
    assert re.search(r"\d\.\d\d / 1  +\d+\.\d MiB / 512 MiB", shown), shown
    assert daemon.call("POST", f"/v1/jobs/{job_id}/cancel", {"signal": "SIGKILL"}).status == 202
    assert daemon.ended(job_id)["usage"]["memoryPeakBytes"] >= usage["memoryPeakBytes"]


def test_the_timeout_kills_a_worker_that_ignores_sigterm(
    daemon: Daemon, worker_image: str, job_id: str
) -> None:
    script = "trap '' TERM; while true; do sleep 1; done"
    daemon.submit(id=job_id, image=worker_image, command=script, timeoutSeconds=1)
    view = daemon.ended(job_id)
    assert (view["status"], view["reason"], view["exitCode"]) == ("failed", "timeout", 137)


@pytest.mark.parametrize(
    ("image", "command", "reason", "code"),
    [
        ("no-such-image-anywhere:1", None, "image-not-found", -1),
        ("busybox:latest", ["/no/such/program"], "start-failed", 127),
    ],
)
def test_a_job_that_cannot_start_has_a_reason(
    daemon: Daemon, receiver: Receiver, job_id: str, image: str, command: Any, reason: str, code: int
) -> None:
    path = f"/{job_id}"
    spec = {"command": command, "init": False} if command else {}
    pull = "never" if reason == "image-not-found" else "missing"
    daemon.submit(id=job_id, image=image, pull=pull, callback={"url": receiver.url(path)}, **spec)
    view = daemon.ended(job_id)
    assert (view["status"], view["reason"]) == ("failed", reason)
    assert view["error"]
    events = receiver.complete(path)
    assert [e["type"] for e in events] == [EXIT, COMPLETE]
    assert [e["data"]["exitCode"] for e in events] == [code, code]
    assert view.get("exitCode", -1) == code
    assert events[0]["data"]["error"]


def test_a_failed_attempt_is_repeated_from_fresh_containers(
    daemon: Daemon, receiver: Receiver, docker_client: docker.DockerClient, worker_image: str, job_id: str
) -> None:
    path = f"/{job_id}"
    write = {"id": "w", "type": "write", "in": "hello", "out": "in.txt"}
    daemon.submit(
        id=job_id,
        image=worker_image,
        command="test ! -e mark || exit 99; touch mark; cat in.txt; exit 3",
        artifacts=[write],
        retries=1,
        retryOn=[3],
        callback={"url": receiver.url(path)},
    )
    view = daemon.ended(job_id)
    assert (view["status"], view["exitCode"]) == ("failed", 3)
    assert [(a["number"], a["exitCode"], a["reason"]) for a in view["attempts"]] == [
        (1, 3, "exit-code"),
        (2, 3, "exit-code"),
    ]
    events = receiver.complete(path)
    assert [e["type"] for e in events] == [ARTIFACT, START, LOG, RETRY, ARTIFACT, LOG, EXIT, COMPLETE]
    assert len({e["id"] for e in events}) == len(events)
    retry = events[3]["data"]
    assert (retry["attempt"], retry["reason"], retry["exitCode"]) == (1, "exit-code", 3)
    assert [line["line"] for line in daemon.log_lines(job_id)[:-1]] == ["hello", "hello"]
    assert len(resources(docker_client, job_id)[0]) == 2


def test_fifty_jobs_ten_at_a_time(daemon: Daemon, receiver: Receiver, worker_image: str, job_id: str) -> None:
    def one(number: int) -> None:
        daemon.submit(
            id=f"{job_id}-{number}",
            image=worker_image,
            command=f"echo {number}",
            callback={"url": receiver.url(f"/{job_id}-{number}"), "events": [START, EXIT, COMPLETE]},
        )

    with ThreadPoolExecutor(10) as pool:
        list(pool.map(one, range(50)))
    for number in range(50):
        assert daemon.ended(f"{job_id}-{number}")["status"] == "completed"
        events = receiver.complete(f"/{job_id}-{number}")
        assert [e["type"] for e in events] == [START, EXIT, COMPLETE]
