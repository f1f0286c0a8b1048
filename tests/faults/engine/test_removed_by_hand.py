"""People remove or replace a job's containers and volume by hand."""

from collections.abc import Callable

import docker
import docker.errors
import pytest

from jobd.jobs.log.container_log_follower import GONE
from tests.support.daemon import Daemon, Receiver, until
from tests.support.invariants import check_events, delete, delivered
from tests.support.silent_server import never_answers

ARTIFACTS = [
    {"id": "w", "type": "write", "in": "hello", "out": "in.txt"},
    {"id": "r", "type": "read", "in": "in.txt", "depends": "job", "when": "always"},
]


def running(daemon: Daemon, job_id: str) -> None:
    until(lambda: daemon.call("GET", f"/v1/jobs/{job_id}").json.get("status") == "running", f"{job_id} runs")


@pytest.mark.fast
@pytest.mark.fault(
    row="Engine", injection="the worker is removed by hand", invariant="lost, exit code unknown (-1)"
)
def test_the_worker_is_removed_by_hand(
    daemon: Daemon, receiver: Receiver, docker_client: docker.DockerClient, worker_image: str, job_id: str
) -> None:
    daemon.submit(
        id=job_id, image=worker_image, command="sleep 600", callback={"url": receiver.url(f"/{job_id}")}
    )
    running(daemon, job_id)
    docker_client.api.remove_container(f"job-{job_id}-worker", force=True)
    view = daemon.ended(job_id)
    assert (view["status"], view["reason"], view.get("exitCode")) == ("failed", "lost", None), view
    check_events(delivered(receiver, f"/{job_id}"), exit_code=-1, status="failed")
    delete(docker_client, daemon, job_id)


@pytest.mark.fast
@pytest.mark.fault(
    row="Engine",
    injection="the worker is removed by hand while jobd is down, its last lines unread",
    invariant="the log, its event and jobctl say that lines may be missing",
)
def test_the_worker_is_removed_with_lines_unread(
    make_daemon: Callable[..., Daemon],
    docker_client: docker.DockerClient,
    receiver: Receiver,
    worker_image: str,
    job_id: str,
) -> None:
    daemon = make_daemon().start()
    script = "trap 'echo unread; exit 3' USR1; echo one; while :; do sleep 0.1; done"
    daemon.submit(id=job_id, image=worker_image, command=script, callback={"url": receiver.url(f"/{job_id}")})
    until(lambda: daemon.log_lines(job_id), "the first line is stored")
    daemon.kill()
    worker = docker_client.containers.get(f"job-{job_id}-worker")
    worker.kill("SIGUSR1")
    worker.wait(timeout=30)
    worker.remove(force=True)
    daemon.start()
    assert daemon.ended(job_id)["reason"] == "lost"
    *lines, mark, _ = daemon.log_lines(job_id)
    assert [(line["line"], line.get("gap")) for line in lines] == [("one", None)]
    assert (mark["line"], mark["gap"]) == ("", GONE)
    events = delivered(receiver, f"/{job_id}")
    logged = [event["data"] for event in events if event["type"].endswith(".log")]
    assert [line for data in logged for line in data["lines"]] == ["one", f"[jobd: {GONE}]"]
    assert logged[-1]["gap"] == GONE
    shown = daemon.jobctl("logs", job_id)
    assert shown.stdout == "one\n"
    assert GONE in shown.stderr


@pytest.mark.fault(
    row="Engine",
    injection="the sidecar is removed by hand while the worker runs",
    invariant="the worker's code, output-failed",
)
def test_the_sidecar_is_removed_by_hand(
    daemon: Daemon, receiver: Receiver, docker_client: docker.DockerClient, worker_image: str, job_id: str
) -> None:
    daemon.submit(
        id=job_id,
        image=worker_image,
        command="sleep 1",
        artifacts=ARTIFACTS,
        callback={"url": receiver.url(f"/{job_id}")},
    )
    running(daemon, job_id)
    docker_client.api.remove_container(f"job-{job_id}-sidecar", force=True)
    view = daemon.ended(job_id)
    assert (view["status"], view["reason"], view["exitCode"]) == ("failed", "output-failed", 0)
    check_events(delivered(receiver, f"/{job_id}"), exit_code=0, status="failed")
    delete(docker_client, daemon, job_id)


@pytest.mark.fault(
    row="Engine",
    injection="the sidecar is removed by hand while it loads inputs",
    invariant="lost or loaded again, never stuck",
)
def test_the_sidecar_is_removed_while_it_loads(
    daemon: Daemon, receiver: Receiver, docker_client: docker.DockerClient, worker_image: str, job_id: str
) -> None:
    with never_answers("0.0.0.0") as port:
        slow = {
            "id": "d",
            "type": "download",
            "in": f"http://host.docker.internal:{port}/x",
            "out": "x",
        }
        daemon.submit(
            id=job_id,
            image=worker_image,
            artifacts=[slow],
            callback={"url": receiver.url(f"/{job_id}")},
        )
        name = f"job-{job_id}-sidecar"

        def loading() -> bool:
            found = docker_client.api.containers(filters={"name": name, "status": "running"})
            return bool(found)

        until(loading, "the sidecar runs")
        docker_client.api.remove_container(name, force=True)
        view = daemon.ended(job_id)
    assert (view["status"], view["reason"], view.get("exitCode")) == ("failed", "lost", None), view
    check_events(delivered(receiver, f"/{job_id}"), exit_code=-1, status="failed", started=False)
    delete(docker_client, daemon, job_id)


@pytest.mark.fault(
    row="Engine",
    injection="all objects of an ended job are removed by hand",
    invariant="shown, without files, deletable",
)
def test_an_ended_jobs_containers_are_removed_by_hand(
    daemon: Daemon, docker_client: docker.DockerClient, worker_image: str, job_id: str
) -> None:
    daemon.submit(id=job_id, image=worker_image, command="echo out > out.txt")
    running_or_ended = daemon.ended(job_id)
    assert running_or_ended["exitCode"] == 0
    with pytest.raises(docker.errors.APIError, match="in use"):
        docker_client.api.remove_volume(f"job-{job_id}-workspace", force=True)
    docker_client.api.remove_container(f"job-{job_id}-worker", force=True)
    docker_client.api.remove_volume(f"job-{job_id}-workspace", force=True)
    assert daemon.call("GET", f"/v1/jobs/{job_id}/files?path=out.txt").status == 404
    assert daemon.call("GET", f"/v1/jobs/{job_id}").json["exitCode"] == 0
    delete(docker_client, daemon, job_id)


@pytest.mark.fault(
    row="Engine",
    injection="a foreign container has the job's name",
    invariant="refused with its name, untouched",
)
def test_a_foreign_container_has_the_name(
    daemon: Daemon, docker_client: docker.DockerClient, worker_image: str, job_id: str
) -> None:
    name = f"job-{job_id}-worker"
    foreign = docker_client.containers.create(worker_image, "true", name=name)
    try:
        daemon.submit(id=job_id, image=worker_image, command="true")
        view = daemon.ended(job_id)
        assert (view["status"], view["reason"]) == ("failed", "refused-by-engine")
        assert name in view["error"]
        assert daemon.call("DELETE", f"/v1/jobs/{job_id}").status == 204
        until(
            lambda: not docker_client.api.volumes(filters={"label": f"job.id={job_id}"})["Volumes"], "no rest"
        )
        assert docker_client.containers.get(name).id == foreign.id
    finally:
        foreign.remove(force=True)


@pytest.mark.fault(
    row="Engine", injection="a stale container of ours has the job's name", invariant="replaced, the job runs"
)
def test_a_stale_container_of_ours_has_the_name(
    daemon: Daemon, docker_client: docker.DockerClient, worker_image: str, job_id: str
) -> None:
    instance = (daemon.folder / "state" / "instance").read_text().strip()
    stale = {
        "managed-by": "jobs-service",
        "job.instance": instance,
        "job.id": job_id,
        "job.uid": "0" * 24,
        "job.attempt": "1",
        "job.type": "worker",
    }
    old = docker_client.containers.create(
        worker_image, "sleep 600", name=f"job-{job_id}-worker", labels=stale
    )
    old.start()
    daemon.submit(id=job_id, image=worker_image, command="exit 2")
    assert daemon.ended(job_id)["exitCode"] == 2
    with pytest.raises(docker.errors.NotFound):
        docker_client.containers.get(str(old.id))
    delete(docker_client, daemon, job_id)
