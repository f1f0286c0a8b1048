"""jobd is killed at each failpoint, before and after each commit and each call of the engine, and started again."""

import json
from collections.abc import Callable
from typing import Any

import docker
import pytest

from tests.support.daemon import DEADLINE_S, FAILPOINTS, Daemon, Receiver, until
from tests.support.engine.starts import Starts
from tests.support.instrumented.failpoints import POINTS
from tests.support.invariants import check_events, delete, delivered, left_of
from tests.support.killed_daemon import call, dead

LOUD = {"LOG_LEVEL": "debug"}
STOPPING = ("commit:cancel-request", "commit:stop-sent", "engine:signal", "call:kill")
"""Points that only a cancelled job reaches."""
TRIES = 5
"""A fast sidecar may report the end of its outputs before its notification is stored: not every job reaches that point."""
FAST = ("after-commit:accepted", "before-engine:prepare", "after-engine:start_worker", "after-commit:started")


def spec(receiver: Receiver, worker_image: str, job_id: str, command: str) -> dict[str, Any]:
    return {
        "id": job_id,
        "image": worker_image,
        "command": command,
        "artifacts": [
            {"id": "w", "type": "write", "in": "hello", "out": "in.txt"},
            # Packed for longer than the worker's log is drained.
            {
                "id": "z",
                "type": "archive",
                "in": "zeros",
                "out": "z.tgz",
                "depends": "job",
                "when": "always",
                "optional": True,
            },
            {
                "id": "r",
                "type": "read",
                "in": "out.txt",
                "depends": "job",
                "when": "always",
                "optional": True,
            },
        ],
        "callback": {"url": receiver.url(f"/{job_id}")},
    }


def short(receiver: Receiver, worker_image: str, job_id: str) -> dict[str, Any]:
    return spec(
        receiver,
        worker_image,
        job_id,
        "echo one; head -c 40000000 /dev/zero > zeros; cp in.txt out.txt; echo two; exit 7",
    )


def long(receiver: Receiver, worker_image: str, job_id: str) -> dict[str, Any]:
    return spec(receiver, worker_image, job_id, "trap '' TERM; echo up; sleep 600")


def status_of(daemon: Daemon, job_id: str) -> str | None:
    answer = call(daemon, "GET", f"/v1/jobs/{job_id}")
    return answer.json.get("status", "gone") if answer else None


def ended_or_dead(daemon: Daemon, job_id: str) -> bool:
    return dead(daemon) or status_of(daemon, job_id) in ("completed", "failed", "cancelled", "gone")


def run_short(daemon: Daemon, client: docker.DockerClient, wanted: dict[str, Any]) -> None:
    """Runs and deletes a job, or stops when jobd dies."""
    job_id = wanted["id"]
    call(daemon, "POST", "/v1/jobs", wanted)
    until(lambda: ended_or_dead(daemon, job_id), "the job or jobd has ended")
    if not dead(daemon) and call(daemon, "DELETE", f"/v1/jobs/{job_id}"):
        until(
            lambda: dead(daemon) or not left_of(client, daemon, job_id),
            "the job is removed or jobd has ended",
        )


def run_cancelled(daemon: Daemon, wanted: dict[str, Any]) -> None:
    """Cancels a job that runs and ignores SIGTERM."""
    job_id = wanted["id"]
    call(daemon, "POST", "/v1/jobs", wanted)
    until(lambda: dead(daemon) or status_of(daemon, job_id) in ("running", None), "the job runs")
    call(daemon, "POST", f"/v1/jobs/{job_id}/cancel", {"graceSeconds": 1})
    until(lambda: ended_or_dead(daemon, job_id), "the job or jobd has ended")


def reached(daemon: Daemon) -> set[str]:
    points = set()
    for line in daemon.log.read_text().splitlines():
        entry = json.loads(line)
        if entry.get("message") == "failpoint":
            points.add(entry["point"])
    return points


@pytest.mark.fast
@pytest.mark.fault(
    row="Crash", injection="none", invariant="every failpoint is reached by a job, a cancel and a delete"
)
def test_every_failpoint_is_reached_and_named(
    make_daemon: Callable[..., Daemon],
    receiver: Receiver,
    docker_client: docker.DockerClient,
    worker_image: str,
    job_id: str,
) -> None:
    daemon = make_daemon(environ=LOUD, module=FAILPOINTS).start()
    run_cancelled(daemon, long(receiver, worker_image, f"{job_id}-l"))
    for n in range(TRIES):
        run_short(daemon, docker_client, short(receiver, worker_image, f"{job_id}-{n}"))
        if reached(daemon) == set(POINTS):
            break
    until(lambda: reached(daemon) == set(POINTS), f"all are reached but {set(POINTS) - reached(daemon)}")
    daemon.stop()


@pytest.mark.fast
@pytest.mark.fault(
    row="Crash", injection="a failpoint is named, jobd is started as itself", invariant="nothing happens"
)
def test_jobd_itself_has_no_failpoints(
    make_daemon: Callable[..., Daemon], worker_image: str, job_id: str
) -> None:
    daemon = make_daemon(environ={**LOUD, "JOBD_FAILPOINT": "before-engine:prepare"}).start()
    daemon.submit(id=job_id, image=worker_image, command="true")
    assert daemon.ended(job_id)["status"] == "completed"
    assert reached(daemon) == set()


@pytest.mark.fault(
    row="Crash",
    injection="kill -9 at each failpoint, before and after commits and calls",
    invariant="true exit code, one start, events once and in order, no rest",
)
@pytest.mark.parametrize(
    "point", [pytest.param(point, marks=pytest.mark.fast) if point in FAST else point for point in POINTS]
)
def test_killed_at_a_failpoint(
    make_daemon: Callable[..., Daemon],
    receiver: Receiver,
    docker_client: docker.DockerClient,
    starts: Starts,
    worker_image: str,
    job_id: str,
    point: str,
) -> None:
    stopping = point.endswith(STOPPING)
    daemon = make_daemon(environ={**LOUD, "JOBD_FAILPOINT": point}, module=FAILPOINTS)
    if point.endswith(("engine:probe", "engine:refs")):
        wanted = short(receiver, worker_image, job_id)
        start_and_die(daemon)
    else:
        daemon.start()
        for n in range(TRIES):
            job_id = f"{job_id}-{n}"
            wanted = (long if stopping else short)(receiver, worker_image, job_id)
            run_cancelled(daemon, wanted) if stopping else run_short(daemon, docker_client, wanted)
            if dead(daemon):
                break
        until(lambda: dead(daemon), f"{point} is reached", 10)
    receiver_knew = bool(receiver.events(f"/{job_id}"))

    daemon.environ, daemon.module = {}, "jobd"
    daemon.start()
    answer = daemon.call("GET", f"/v1/jobs/{job_id}")
    if answer.status == 404 and not receiver_knew:
        # jobd did not acknowledge the request: the client repeats it.
        assert daemon.call("POST", "/v1/jobs", wanted).status == 202
    if stopping:
        until(lambda: status_of(daemon, job_id) in ("running", "cancelled"), "the job runs, or has run")
        assert daemon.call("POST", f"/v1/jobs/{job_id}/cancel", {"graceSeconds": 0}).status in (202, 409)
        check_events(delivered(receiver, f"/{job_id}"), exit_code=137, status="cancelled")
    else:
        check_events(delivered(receiver, f"/{job_id}"), exit_code=7, status="failed")
    view = daemon.call("GET", f"/v1/jobs/{job_id}")
    if view.status == 200:
        assert view.json["exitCode"] == (137 if stopping else 7)
        if not stopping:
            assert [line["line"] for line in daemon.log_lines(job_id)[:-1]] == ["one", "two"]
    delete(docker_client, daemon, job_id)
    assert starts.of(job_id) == 1


def start_and_die(daemon: Daemon) -> None:
    """Starts a daemon that dies shortly before or after it is ready."""
    try:
        daemon.start()
    except pytest.fail.Exception:
        assert daemon.process is not None
        assert daemon.process.returncode == -9
    else:
        until(lambda: dead(daemon), "jobd has died", DEADLINE_S)
