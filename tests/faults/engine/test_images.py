"""Images that are missing, stall, or cannot run: the job fails with a clear error, or is cancelled at once."""

from collections.abc import Callable

import docker
import docker.errors
import pytest

from tests.support.daemon import Daemon, Receiver, until
from tests.support.engine.engine_proxy import EngineProxy
from tests.support.engine.made_images import for_another_architecture, without_shell
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
    row="Engine",
    injection="the registry has no such image, or is down",
    invariant="image-not-found, with the reason",
)
def test_the_image_is_missing(
    daemon: Daemon, receiver: Receiver, job_id: str, free_port: Callable[[], int]
) -> None:
    port = free_port()
    daemon.submit(
        id=job_id, image=f"127.0.0.1:{port}/no/such:1", callback={"url": receiver.url(f"/{job_id}")}
    )
    view = daemon.ended(job_id)
    assert (view["status"], view["reason"]) == ("failed", "image-not-found")
    assert f"127.0.0.1:{port}" in view["error"]
    check_events(delivered(receiver, f"/{job_id}"), exit_code=-1, status="failed", started=False)


@pytest.mark.fast
@pytest.mark.fault(
    row="Engine", injection="a pull stalls and the job is cancelled", invariant="cancelled at once"
)
def test_a_stalled_pull_is_cancelled(
    behind_proxy: Callable[..., Daemon], proxy: EngineProxy, receiver: Receiver, job_id: str
) -> None:
    rule = proxy.on(r"POST .*/images/create", "stall", None)
    daemon = behind_proxy().start()
    daemon.submit(id=job_id, image="127.0.0.1:1/x:1", callback={"url": receiver.url(f"/{job_id}")})
    until(lambda: rule.hits, "the pull has begun")
    assert daemon.call("POST", f"/v1/jobs/{job_id}/cancel").status == 202
    assert daemon.ended(job_id, deadline_s=10)["status"] == "cancelled"
    check_events(delivered(receiver, f"/{job_id}"), exit_code=-1, status="cancelled", started=False)


@pytest.mark.fault(
    row="Engine",
    injection="the registry accepts connections and never answers",
    invariant="ends within its limit",
)
def test_a_pull_stalls(
    daemon: Daemon, receiver: Receiver, docker_client: docker.DockerClient, job_id: str
) -> None:
    with never_answers() as port:
        daemon.submit(
            id=job_id, image=f"127.0.0.1:{port}/no/such:1", callback={"url": receiver.url(f"/{job_id}")}
        )
        view = daemon.ended(job_id, deadline_s=120)
    assert (view["status"], view["reason"]) == ("failed", "image-not-found")
    check_events(delivered(receiver, f"/{job_id}"), exit_code=-1, status="failed", started=False)


@pytest.mark.fault(
    row="Engine", injection="the image is for another architecture", invariant="a clear error, no start"
)
def test_the_image_is_for_another_architecture(
    daemon: Daemon, docker_client: docker.DockerClient, worker_image: str, job_id: str
) -> None:
    with for_another_architecture(docker_client) as image:
        daemon.submit(id=job_id, image=image, command="true", pull="never")
        view = daemon.ended(job_id)
    assert (view["status"], view["reason"]) == ("failed", "image-not-found")
    assert "s390x" in view["error"]


@pytest.mark.fault(row="Engine", injection="the image has no shell", invariant="start-failed with 127")
def test_the_image_has_no_shell(
    daemon: Daemon, receiver: Receiver, docker_client: docker.DockerClient, worker_image: str, job_id: str
) -> None:
    with without_shell(docker_client) as image:
        daemon.submit(id=job_id, image=image, command="echo x", callback={"url": receiver.url(f"/{job_id}")})
        view = daemon.ended(job_id)
        assert (view["status"], view["reason"], view["exitCode"]) == ("failed", "start-failed", 127), view
        assert "/bin/sh" in view["error"]
        types = [event["type"] for event in delivered(receiver, f"/{job_id}")]
        assert types[-2:] == ["orchestrator.job.exit", "orchestrator.job.complete"]
        delete(docker_client, daemon, job_id)
