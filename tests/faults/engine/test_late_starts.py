"""A start whose answer was lost arrives at the engine late: while jobd removes the container, which seems not started."""

from collections.abc import Callable
from typing import Any

import docker
import docker.errors
import pytest

from tests.support.daemon import Daemon, Receiver, until
from tests.support.engine.engine_proxy import EngineProxy
from tests.support.engine.starts import Starts
from tests.support.invariants import check_events, delete, delivered

START = r"POST .*/containers/[^/]+/start"
REMOVE = r"DELETE .*/containers/"
SAYS = "wget -q -O /dev/null --post-data x http://host.docker.internal:{port}/began-{job_id}"


@pytest.mark.fault(
    row="Engine",
    injection="a start arrives while jobd removes the container as not started",
    invariant="the worker starts once, and its own exit code is reported",
)
@pytest.mark.parametrize(
    ("work", "reached"), [("sleep 3", "running"), ("true", "exited")], ids=["still runs", "has ended"]
)
def test_a_start_arrives_while_the_container_is_removed(
    behind_proxy: Callable[..., Daemon],
    proxy: EngineProxy,
    receiver: Receiver,
    docker_client: docker.DockerClient,
    starts: Starts,
    worker_image: str,
    job_id: str,
    work: str,
    reached: str,
) -> None:
    daemon = behind_proxy().start()
    start, removal = proxy.on(START, "late"), proxy.on(REMOVE, "hold")
    says = SAYS.format(port=receiver.port, job_id=job_id)
    daemon.submit(
        id=job_id,
        image=worker_image,
        command=f"{says}; echo said; {work}; exit 7",
        callback={"url": receiver.url(f"/{job_id}")},
    )
    until(lambda: start.hits, "the start is requested")
    until(lambda: removal.hits, "jobd removes the container")
    start.released.set()

    def state() -> Any:
        return docker_client.api.inspect_container(f"job-{job_id}-worker")["State"]["Status"]

    until(lambda: state() == reached, f"the late start has arrived: {reached}")
    removal.released.set()
    view = daemon.ended(job_id)
    assert len(receiver.raw(f"/began-{job_id}")) == 1, "how often the worker began, by its own count"
    assert starts.of(job_id) == 1
    assert (view["status"], view["exitCode"]) == ("failed", 7), view
    check_events(delivered(receiver, f"/{job_id}"), exit_code=7, status="failed")
    frames = daemon.log_lines(job_id)
    assert [frame["line"] for frame in frames if "line" in frame][:1] == ["said"] or any(
        "gap" in frame for frame in frames
    ), frames
    delete(docker_client, daemon, job_id)
