"""A job's secrets, on every engine: only the worker reads them, and only while the sidecar runs."""

import asyncio
import uuid
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from jobd.jobs.port.model import LOG_START, ContainerState, JobRef, Observation, RawLine, Role
from jobd.wire.report import Ready, SidecarOrder, decode_report
from tests.contract.worlds import Ability, needs
from tests.support.progress import Progress
from tests.support.repeated import repeated

Until = Callable[[JobRef, Callable[[Observation], bool]], Coroutine[Any, Any, Observation]]


@pytest.fixture
def values() -> dict[str, str]:
    return {"token": f"sEcReT{uuid.uuid4().hex}", "other.pem": "two words"}


async def printed(world: Any, ref: JobRef, role: Role) -> list[RawLine]:
    read = world.orchestrator.logs(ref, role, LOG_START, False)
    return [line async for batch in read for line in batch.lines]


async def given(world: Any, ref: JobRef, behaviour: Any, values: dict[str, str]) -> None:
    """Creates the job and waits until its sidecar reports that the worker may start."""
    await world.orchestrator.prepare(world.work(ref, behaviour, sidecar=True), Progress())
    order = SidecarOrder(job_id=ref.id, job_uid=ref.uid, artifacts=[], secrets=values)
    await repeated(lambda: world.orchestrator.start_inputs(ref, order))
    async with asyncio.timeout(world.deadline_s):
        while True:
            lines = await printed(world, ref, "sidecar")
            if any(isinstance(decode_report(line.text.encode()), Ready) for line in lines):
                return
            await asyncio.sleep(0.02)


async def test_a_worker_finds_its_secrets(
    world: Any, ref: JobRef, behave: Any, until: Until, values: dict[str, str]
) -> None:
    await given(world, ref, behave(shows=tuple(values)), values)
    await world.orchestrator.start_worker(ref)
    await until(ref, lambda seen: seen.worker is not None and seen.worker.ended)
    assert [line.text for line in await printed(world, ref, "worker")] == list(values.values())


async def test_secrets_are_in_no_file_of_the_workspace_and_in_no_report(
    world: Any, ref: JobRef, behave: Any, values: dict[str, str]
) -> None:
    await given(world, ref, behave(shows=("token",), stays=True), values)
    await world.orchestrator.start_worker(ref)
    workspace = b"".join([chunk async for chunk in world.orchestrator.open_tar(ref, "/workspace")])
    said = "".join(line.text for line in await printed(world, ref, "sidecar"))
    facts = repr(await world.orchestrator.observe(ref))
    assert said
    assert values["token"].encode() not in workspace
    assert values["token"] not in said + facts


async def test_the_sidecar_runs_until_notified_of_the_workers_end(
    world: Any, ref: JobRef, behave: Any, until: Until, values: dict[str, str]
) -> None:
    """The tmpfs with the secrets exists while the sidecar runs."""
    await given(world, ref, behave(shows=("token",)), values)
    await world.orchestrator.start_worker(ref)
    seen = await until(ref, lambda seen: seen.worker is not None and seen.worker.ended)
    assert seen.sidecar is not None
    assert seen.sidecar.state is ContainerState.RUNNING
    await world.orchestrator.notify_worker_ended(ref, True)
    world.orchestrator.release_run(ref, lambda: 0.0)
    seen = await until(ref, lambda seen: seen.sidecar is not None and seen.sidecar.ended)
    assert seen.sidecar is not None
    assert seen.sidecar.exit_code == 0


async def test_without_the_sidecar_there_are_no_secrets(
    world: Any, ref: JobRef, behave: Any, until: Until, values: dict[str, str]
) -> None:
    needs(world, Ability.SINGLE_CONTAINERS)
    await given(world, ref, behave(shows=("token",)), values)
    await world.orchestrator.signal(ref, "sidecar", "SIGKILL")
    await until(ref, lambda seen: seen.sidecar is not None and seen.sidecar.ended)
    await world.orchestrator.start_worker(ref)
    await until(ref, lambda seen: seen.worker is not None and seen.worker.ended)
    assert [(line.stream, line.text) for line in await printed(world, ref, "worker")] == [
        ("stderr", "no secret token")
    ]


async def test_no_secret_is_left_after_removal(
    world: Any, ref: JobRef, behave: Any, until: Until, values: dict[str, str]
) -> None:
    """A later job with the same id has other secrets, or none."""
    await given(world, ref, behave(shows=("token",)), values)
    await world.orchestrator.remove(ref)
    assert ref not in await world.orchestrator.refs()
    again = JobRef(uid=uuid.uuid4().hex, id=ref.id, attempt=1)
    await given(world, again, behave(shows=("token", "other.pem")), {"token": "new"})
    await world.orchestrator.start_worker(again)
    await until(again, lambda seen: seen.worker is not None and seen.worker.ended)
    lines = await printed(world, again, "worker")
    assert sorted(line.text for line in lines) == ["new", "no secret other.pem"]
