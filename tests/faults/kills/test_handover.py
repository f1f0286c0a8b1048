"""jobd is killed while a job takes files of an earlier one, and while a job repeats the outputs of an earlier one."""

import io
import tarfile
from collections.abc import Callable
from typing import Any

import docker
import pytest

from tests.support.daemon import FAILPOINTS, Daemon, Receiver, until
from tests.support.engine.starts import Starts
from tests.support.invariants import ARTIFACT, check_events, delete, delivered
from tests.support.killed_daemon import call, dead

TAKEOVER_POINTS = (
    *(f"{when}-commit:{name}" for name in ("accepted", "pulling", "inputs", "outputs", "done") for when in ("before", "after")),
    *(f"{when}-engine:{name}" for name in ("prepare", "start_inputs", "notify_worker_ended", "remove") for when in ("before", "after")),
    "before-commit:cleaned", "after-commit:cleaned", "after-call:create", "after-call:start",
)  # fmt: skip
READER_POINTS = (
    "after-commit:accepted", "before-engine:prepare", "after-call:create", "after-engine:prepare", "after-engine:start_inputs",
    "before-commit:running", "before-commit:done", "after-commit:done", "before-engine:remove", "after-engine:remove",
)  # fmt: skip
FAST = ("after-commit:accepted", "before-engine:prepare", "after-commit:done")
SHORT = {"JOB_RETENTION": "1s", "MAINTENANCE_INTERVAL": "200ms"}


def points(names: tuple[str, ...]) -> list[Any]:
    return [pytest.param(name, marks=pytest.mark.fast) if name in FAST else name for name in names]


def over(daemon: Daemon, job_id: str) -> bool:
    answer = None if dead(daemon) else call(daemon, "GET", f"/v1/jobs/{job_id}")
    return answer is None or answer.json.get("status") in ("completed", "failed", "cancelled")


def put(client: docker.DockerClient, job_id: str, name: str, content: bytes) -> None:
    """Puts a file into the workspace of an ended job."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))
    client.containers.get(f"job-{job_id}-worker").put_archive("/workspace", buffer.getvalue())


@pytest.mark.fault(
    row="Crash",
    injection="kill -9 while a job repeats the outputs of an earlier one",
    invariant="one start of the command, outputs delivered, events once and in order, no rest",
)
@pytest.mark.parametrize("point", points(TAKEOVER_POINTS))
def test_killed_while_outputs_are_repeated(
    make_daemon: Callable[..., Daemon],
    receiver: Receiver,
    docker_client: docker.DockerClient,
    starts: Starts,
    worker_image: str,
    job_id: str,
    point: str,
) -> None:
    new_id = f"{job_id}-again"
    daemon = make_daemon().start()
    daemon.submit(
        id=job_id,
        image=worker_image,
        command="echo run >> runs",
        artifacts=[{"id": "r", "type": "read", "in": "late", "depends": "job"}],
        outputs=[{"path": "runs"}],
        callback={"url": receiver.url(f"/{job_id}")},
    )
    assert daemon.ended(job_id)["reason"] == "output-failed"
    put(docker_client, job_id, "late", b"there now")
    daemon.stop()

    daemon.environ, daemon.module = {"JOBD_FAILPOINT": point}, FAILPOINTS
    daemon.start()
    body = {"id": new_id, "outputs": True}
    call(daemon, "POST", f"/v1/jobs/{job_id}/retry", body)
    until(lambda: over(daemon, new_id), "the job or jobd has ended")
    if not dead(daemon):
        call(daemon, "DELETE", f"/v1/jobs/{new_id}")
        until(lambda: dead(daemon), f"{point} is reached", 10)

    daemon.environ, daemon.module = {}, "jobd"
    daemon.start()
    events_path = f"/{job_id}"
    if not any(event["data"]["jobId"] == new_id for event in receiver.events(events_path)):
        answer = daemon.call("POST", f"/v1/jobs/{job_id}/retry", body)
        assert answer.status in (200, 202), answer.body
    until(
        lambda: [
            e
            for e in receiver.events(events_path)
            if e["data"]["jobId"] == new_id and "complete" in e["type"]
        ],
        "the new job's last event",
    )
    of_new = list({e["id"]: e for e in receiver.events(events_path) if e["data"]["jobId"] == new_id}.values())
    check_events(of_new, exit_code=0, status="completed", started=False)
    assert [e["data"]["content"] for e in of_new if e["type"] == ARTIFACT] == ["there now"]
    of_old = [e for e in delivered_of(receiver, events_path, job_id) if "complete" in e["type"]]
    assert [e["data"]["status"] for e in of_old] == ["failed"]
    view = daemon.call("GET", f"/v1/jobs/{new_id}")
    if view.status == 200:
        assert (view.json["status"], view.json["exitCode"]) == ("completed", 0)
        assert daemon.call("GET", f"/v1/jobs/{new_id}/files?path=runs").body.count(b"run\n") == 1
        assert daemon.call("DELETE", f"/v1/jobs/{job_id}").json["code"] == "needed"
    delete(docker_client, daemon, new_id)
    delete(docker_client, daemon, job_id)
    assert (starts.of(job_id), starts.of(new_id)) == (1, 0)


def delivered_of(receiver: Receiver, path: str, job_id: str) -> list[dict[str, Any]]:
    return list({e["id"]: e for e in receiver.events(path) if e["data"]["jobId"] == job_id}.values())


@pytest.mark.fault(
    row="Crash",
    injection="kill -9 while a job takes files of an earlier one, whose retention is over",
    invariant="the files arrive, one start, the earlier workspace goes after the job, no rest",
)
@pytest.mark.parametrize("point", points(READER_POINTS))
def test_killed_while_files_are_taken(
    make_daemon: Callable[..., Daemon],
    receiver: Receiver,
    docker_client: docker.DockerClient,
    starts: Starts,
    worker_image: str,
    job_id: str,
    point: str,
) -> None:
    first, second = f"{job_id}-a", f"{job_id}-b"
    daemon = make_daemon().start()
    daemon.submit(id=first, image=worker_image, command="echo made > f")
    daemon.ended(first)
    daemon.stop()
    wanted = {
        "id": second,
        "image": worker_image,
        "command": "cat g",
        "artifacts": [
            {"id": "in", "type": "job", "job": first, "in": "f", "out": "g"},
            {"id": "r", "type": "read", "in": "g", "depends": "job"},
        ],
        "callback": {"url": receiver.url(f"/{second}")},
    }
    daemon.environ, daemon.module = {"JOBD_FAILPOINT": point}, FAILPOINTS
    daemon.start()
    call(daemon, "POST", "/v1/jobs", wanted)
    until(lambda: over(daemon, second), "the job or jobd has ended")
    until(lambda: dead(daemon), f"{point} is reached", 10)

    # From now on retention removes the workspace of an ended job at once, unless another job needs it.
    daemon.environ, daemon.module = SHORT, "jobd"
    daemon.start()
    events = delivered(receiver, f"/{second}")
    check_events(events, exit_code=0, status="completed")
    assert [e["data"].get("content") for e in events if e["data"].get("artifactId") == "r"] == ["made\n"]
    assert starts.of(second) == 1
    for name in (second, first):
        delete(docker_client, daemon, name)
