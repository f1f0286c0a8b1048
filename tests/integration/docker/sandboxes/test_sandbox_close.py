"""What becomes of network sandboxes on a real engine when jobd ends, in order or killed, and when the next jobd starts."""

import asyncio
from typing import Any

import docker
import pytest

from jobd.docker.mapping.settings import DockerSettings
from jobd.docker.orchestrator import DockerOrchestrator
from jobd.docker.sandboxes import pool
from tests.integration.docker.sandboxes.pooled import STAYS, Pooled


async def test_closing_removes_all_sandboxes_without_a_job(pooled: Pooled) -> None:
    await pooled.close()
    await pooled.bench.orchestrator.close()
    assert pooled.sandboxes() == []


async def test_a_leased_sandbox_outlives_jobd_and_ends_with_its_job(
    pooled: Pooled, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "RECONCILE_S", 0.1)
    ref = pooled.bench.another()
    await pooled.bench.create(ref, command=STAYS)
    await pooled.bench.orchestrator.start_worker(ref)
    sandbox = pooled.joined(ref)
    await pooled.close()
    await pooled.bench.orchestrator.close()
    assert pooled.sandboxes() == [sandbox]

    again = DockerOrchestrator(DockerSettings(pooled.bench.instance, sandbox_pool=1))
    pooled.bench.orchestrator = again
    await pooled.open()
    await asyncio.sleep(0.5)
    assert pooled.sandboxes() == [sandbox]
    assert (await again.observe(ref)).worker is not None
    await again.remove(ref)
    await pooled.until(lambda: sandbox not in pooled.sandboxes())


async def test_a_sandbox_without_a_job_ends_with_the_connection_of_a_killed_jobd(pooled: Pooled) -> None:
    inner = pooled.bench.orchestrator._sandboxes
    assert pooled.sandboxes()
    assert inner._filler is not None
    inner._filler.cancel()
    for sandbox in inner._sandboxes.values():
        sandbox._writer.transport.abort()  # as the kernel does for a killed process
    await pooled.until(lambda: pooled.sandboxes() == [])


async def test_sandboxes_of_an_earlier_jobd_are_removed(
    pooled: Pooled, docker_client: docker.DockerClient
) -> None:
    left = docker_client.containers.create(
        "busybox:latest",
        "sleep 600",
        labels={
            "managed-by": "jobs-service",
            "job.instance": pooled.bench.instance,
            "job.type": "sandbox",
        },
    )
    left.start()
    pooled.bench.orchestrator._sandboxes.connected()
    await pooled.until(lambda: left.id not in pooled.sandboxes())


async def test_closing_removes_a_sandbox_that_the_engine_created_for_a_killed_process(pooled: Pooled) -> None:
    """A create that was under way when its process was killed ends after the next process has looked."""
    late = pooled.client.api.create_container(
        "busybox:latest",
        "true",
        labels={
            "managed-by": "jobs-service",
            "job.instance": pooled.bench.instance,
            "job.type": "sandbox",
        },
    )["Id"]
    await pooled.close()
    await pooled.bench.orchestrator.close()
    with pytest.raises(docker.errors.NotFound):
        pooled.client.api.inspect_container(late)


async def test_closing_removes_a_sandbox_whose_create_is_under_way(pooled: Pooled) -> None:
    """The engine completes the create also if its client leaves."""
    engine: Any = pooled.bench.orchestrator._sandboxes._engine
    create = engine.create_container
    creates: list[asyncio.Task[str]] = []

    async def slow(*given: Any) -> str:
        await asyncio.sleep(0.3)
        container_id: str = await create(*given)
        return container_id

    async def slow_engine(*given: Any) -> str:
        creates.append(asyncio.create_task(slow(*given)))
        return await asyncio.shield(creates[-1])

    engine.create_container = slow_engine
    (sandbox,) = pooled.sandboxes()
    pooled.client.api.remove_container(sandbox, force=True)
    await pooled.until(lambda: bool(creates))
    await pooled.close()
    closed = asyncio.create_task(pooled.bench.orchestrator.close())
    await asyncio.wait(creates)
    await closed
    with pytest.raises(docker.errors.NotFound):
        pooled.client.api.inspect_container(creates[0].result())


async def test_closing_removes_a_sandbox_whose_job_ended_unnoticed(pooled: Pooled) -> None:
    inner = pooled.bench.orchestrator._sandboxes
    ref = pooled.bench.another()
    await pooled.bench.create(ref, command=STAYS)
    await pooled.close()
    assert len(inner._leases) == 1
    for one in pooled.client.containers.list(
        all=True, filters={"label": f"job.instance={pooled.bench.instance}"}
    ):
        if one.labels.get("job.type") != "sandbox":
            one.remove(force=True)
    await pooled.bench.orchestrator.close()
    assert pooled.sandboxes() == []
