"""The engine loses, refuses or fails to answer the calls that freeze and thaw a worker."""

from collections.abc import Callable

import docker
import pytest

from tests.support.daemon import Daemon, until
from tests.support.engine.engine_proxy import EngineProxy, Fault

PAUSE = r"POST .*/containers/[^/]+/pause"
UNPAUSE = r"POST .*/containers/[^/]+/unpause"
TIMES = 2


@pytest.mark.fault(
    row="Engine",
    injection="answers to pause and unpause lost, refused, unavailable or of a full disk",
    invariant="paused until the resume, true exit code",
)
@pytest.mark.parametrize("fault", ["lose", "refuse", "unavailable", "full"])
def test_the_engine_does_not_answer_a_pause(
    behind_proxy: Callable[..., Daemon],
    proxy: EngineProxy,
    docker_client: docker.DockerClient,
    worker_image: str,
    job_id: str,
    fault: Fault,
) -> None:
    daemon = behind_proxy().start()
    pause, unpause = proxy.on(PAUSE, fault, TIMES), proxy.on(UNPAUSE, fault, TIMES)
    daemon.submit(id=job_id, image=worker_image, command="sleep 1; exit 5", timeoutSeconds=600)
    until(lambda: daemon.call("GET", f"/v1/jobs/{job_id}").json["status"] == "running", "the job runs")
    assert daemon.call("POST", f"/v1/jobs/{job_id}/pause").status == 200
    worker = f"job-{job_id}-worker"
    until(lambda: docker_client.api.inspect_container(worker)["State"]["Paused"], "the worker is paused")
    until(lambda: pause.hits == TIMES or fault == "lose", "the faults have happened")
    assert daemon.call("POST", f"/v1/jobs/{job_id}/resume").status == 200
    view = daemon.ended(job_id)
    assert (view["exitCode"], view.get("paused")) == (5, None)
    assert view["pausedSeconds"] > 0
    assert unpause.hits == TIMES or fault == "lose"
