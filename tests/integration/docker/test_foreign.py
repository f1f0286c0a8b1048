"""Foreign containers, volumes and networks are never touched; an error names one whose name a job needs."""

from collections.abc import Iterator
from typing import Any

import docker
import pytest

from jobd.jobs.port.errors import ContainerGone, RefusedByEngine
from jobd.jobs.port.hints import Connected
from jobd.jobs.port.model import ContainerState, JobRef, Observation


@pytest.fixture
def taken(docker_client: docker.DockerClient, bench: Any) -> Iterator[Any]:
    """A foreign container with the worker's name."""
    container = docker_client.containers.run(
        "busybox:latest", ["sleep", "600"], name=f"job-{bench.ref.id}-worker", detach=True
    )
    yield container
    container.remove(force=True, v=True)


async def test_a_name_that_is_taken_is_refused_with_the_command_that_helps(bench: Any, taken: Any) -> None:
    with pytest.raises(RefusedByEngine, match=f"job-{bench.ref.id}-worker") as caught:
        await bench.create()
    assert f"docker rm -f job-{bench.ref.id}-worker" in caught.value.remedy


async def test_no_call_touches_a_foreign_container(bench: Any, taken: Any) -> None:
    assert await bench.orchestrator.observe(bench.ref) == Observation(None, None)
    await bench.orchestrator.signal(bench.ref, "worker", "SIGKILL")
    await bench.orchestrator.remove(bench.ref)
    with pytest.raises(ContainerGone):
        await bench.lines()
    assert await bench.orchestrator.refs() == []
    taken.reload()
    assert taken.status == "running"


async def test_another_instances_job_is_foreign(bench: Any, make_bench: Any) -> None:
    other = make_bench()
    await other.create(command="sleep 60")
    await other.orchestrator.start_worker(other.ref)
    ref = JobRef(bench.ref.uid, other.ref.id, 1)
    with pytest.raises(RefusedByEngine):
        await bench.create(ref)
    for look in (ref, other.ref):
        await bench.orchestrator.remove(look)
        await bench.orchestrator.signal(look, "worker", "SIGKILL")
    assert await bench.orchestrator.refs() == []
    seen = await other.orchestrator.observe(other.ref)
    assert seen.worker is not None
    assert seen.worker.state is ContainerState.RUNNING


async def test_a_foreign_volume_is_refused_and_kept(bench: Any, docker_client: docker.DockerClient) -> None:
    volume = docker_client.volumes.create(f"job-{bench.ref.id}-workspace")
    try:
        with pytest.raises(RefusedByEngine, match="volume"):
            await bench.create()
        await bench.orchestrator.remove(bench.ref)
        volume.reload()
    finally:
        volume.remove()


async def test_a_foreign_network_is_refused_and_kept(
    own_bench: Any, docker_client: docker.DockerClient
) -> None:
    network = docker_client.networks.create(f"jobs-service-{own_bench.instance}")
    try:
        with pytest.raises(RefusedByEngine, match="network"):
            await own_bench.create()
        network.reload()
    finally:
        network.remove()


async def test_a_volume_that_something_else_uses_says_so(
    bench: Any, docker_client: docker.DockerClient
) -> None:
    await bench.create()
    name = f"job-{bench.ref.id}-workspace"
    guest = docker_client.containers.create("busybox:latest", volumes={name: {"bind": "/x"}})
    try:
        with pytest.raises(RefusedByEngine, match="in use") as caught:
            await bench.orchestrator.remove(bench.ref)
        assert name in caught.value.remedy
    finally:
        guest.remove(force=True)
    await bench.orchestrator.remove(bench.ref)
    assert await bench.orchestrator.refs() == []


async def test_events_of_others_give_no_hints(own_bench: Any, make_bench: Any) -> None:
    stream = own_bench.orchestrator.hints()
    assert await anext(stream) == Connected()
    other = make_bench()
    await other.run(other.another(), command=["true"])
    await own_bench.run(command=["true"])
    assert (await anext(stream)).uid == own_bench.ref.uid
    await stream.aclose()
