"""Every engine gives a sidecar the workspaces of earlier jobs, to read or to take over, keeps them meanwhile, and says if one is gone."""

import asyncio
import dataclasses
import uuid
from collections.abc import Sequence
from typing import Any

import pytest

from jobd.jobs.port.errors import RefusedByEngine, WorkspaceGone
from jobd.jobs.port.model import LOG_START, JobRef
from jobd.wire.artifact import Artifact, JobFiles, Read
from jobd.wire.report import ArtifactDone, Done, InputsFailed, Ready, Report, SidecarOrder, decode_report
from tests.contract.steps import Until, ended
from tests.contract.test_preparation_contract import member_of
from tests.contract.worlds import Ability, needs
from tests.support.progress import Progress

USER = (1234, 5678)


@pytest.fixture
async def earlier(world: Any, behave: Any, until: Until) -> JobRef:
    """A job that has ended and left a file."""
    needs(world, Ability.WORKSPACES)
    ref = JobRef(uid=uuid.uuid4().hex, id=f"test-{uuid.uuid4().hex[:12]}")
    await world.orchestrator.prepare(world.work(ref, behave(writes={"result": "made before"})), Progress())
    await world.orchestrator.start_worker(ref)
    await until(ref, ended)
    return ref


async def reports(
    world: Any, ref: JobRef, *last: type[Report], default: Any = (Ready, InputsFailed)
) -> list[Report]:
    """Returns the sidecar's reports up to the end of its inputs, or to the first of these."""
    async with asyncio.timeout(world.deadline_s):
        while True:
            read = world.orchestrator.logs(ref, "sidecar", LOG_START, False)
            said = [decode_report(line.text.encode()) async for batch in read for line in batch.lines]
            over = [number for number, one in enumerate(said) if isinstance(one, last or default)]
            if over:
                return said[: over[0] + 1]
            await asyncio.sleep(0.02)


async def taken(world: Any, ref: JobRef, behave: Any, earlier: JobRef, artifacts: Sequence[Artifact]) -> Any:
    order = world.work(
        ref,
        behave(),
        sidecar=True,
        sources={earlier.id: earlier},
        artifacts=list(artifacts),
        user="1234:5678",
    )
    await world.orchestrator.prepare(order, Progress())
    work = SidecarOrder(job_id=ref.id, job_uid=ref.uid, artifacts=list(artifacts))
    await world.orchestrator.start_inputs(ref, work)
    return await reports(world, ref)


def files(earlier: JobRef, path: str) -> JobFiles:
    return JobFiles(id="in", job=earlier.id, source=path, out="data")


async def test_the_sidecar_copies_files_of_an_earlier_job_for_the_workers_user(
    world: Any, ref: JobRef, behave: Any, earlier: JobRef
) -> None:
    said = await taken(world, ref, behave, earlier, [files(earlier, "result")])
    assert isinstance(said[-1], Ready)
    assert await member_of(world, ref, "/workspace/data") == (b"made before", USER)
    assert (await member_of(world, earlier, "/workspace/result"))[0] == b"made before"


async def test_a_path_that_does_not_exist_fails_the_input_with_its_name(
    world: Any, ref: JobRef, behave: Any, earlier: JobRef
) -> None:
    said = await taken(world, ref, behave, earlier, [files(earlier, "nothing")])
    assert isinstance(said[-1], InputsFailed)
    assert f"job {earlier.id!r} has no 'nothing' in its workspace" in said[-1].error
    assert [one.status for one in said if isinstance(one, ArtifactDone)] == ["failed"]


async def test_a_workspace_that_is_read_cannot_be_removed_until_the_sidecar_is(
    world: Any, ref: JobRef, behave: Any, earlier: JobRef
) -> None:
    await taken(world, ref, behave, earlier, [files(earlier, "result")])
    with pytest.raises(RefusedByEngine):
        await world.orchestrator.remove(earlier)
    await world.orchestrator.remove(ref, "sidecar")
    await world.orchestrator.remove(earlier)
    assert earlier not in await world.orchestrator.refs()


@pytest.mark.parametrize("another", [False, True])
async def test_a_workspace_that_is_gone_or_anothers_is_said_and_not_made(
    world: Any, ref: JobRef, behave: Any, earlier: JobRef, another: bool
) -> None:
    """Another job has the id by now, or none."""
    await world.orchestrator.remove(earlier)
    present = JobRef(uid=uuid.uuid4().hex, id=earlier.id)
    if another:
        await world.orchestrator.prepare(world.work(present, behave()), Progress())
    order = world.work(ref, behave(), sidecar=True, sources={earlier.id: earlier})
    with pytest.raises(WorkspaceGone, match=earlier.id):
        await world.orchestrator.prepare(order, Progress())
    refs = await world.orchestrator.refs()
    assert earlier not in refs
    assert (present in refs) == another


async def test_an_absent_sidecar_is_no_error(world: Any, ref: JobRef, behave: Any) -> None:
    await world.orchestrator.prepare(world.work(ref, behave()), Progress())
    await world.orchestrator.remove(ref, "sidecar")
    await world.orchestrator.remove(ref, "sidecar")
    assert (await world.orchestrator.observe(ref)).worker is not None


def takeover(world: Any, ref: JobRef, behave: Any, earlier: JobRef, *, sidecar: bool = True) -> Any:
    return dataclasses.replace(world.work(ref, behave(), sidecar=sidecar), workspace_of=earlier)


async def test_a_sidecar_takes_over_a_workspace_and_no_worker_is_created(
    world: Any, ref: JobRef, behave: Any, earlier: JobRef
) -> None:
    worker = (await world.orchestrator.observe(earlier)).worker
    made = await world.orchestrator.prepare(takeover(world, ref, behave, earlier), Progress())
    assert made.worker_id == worker.id
    again = await world.orchestrator.prepare(takeover(world, ref, behave, earlier), Progress())
    artifact = Read(id="out", source="result", depends="job")
    order = SidecarOrder(job_id=ref.id, job_uid=ref.uid, artifacts=[artifact])
    await world.orchestrator.start_inputs(ref, order)
    await reports(world, ref)
    assert await world.orchestrator.prepare(takeover(world, ref, behave, earlier), Progress()) == again
    await world.orchestrator.notify_worker_ended(ref, True)
    said = await reports(world, ref, Done)
    assert [one.status for one in said if isinstance(one, ArtifactDone)] == ["success"]
    seen = await world.orchestrator.observe(ref)
    assert seen.worker is None
    assert seen.sidecar is not None
    assert seen.sidecar.id == again.sidecar_id


async def test_a_taken_workspace_cannot_be_removed_until_the_taker_is(
    world: Any, ref: JobRef, behave: Any, earlier: JobRef
) -> None:
    await world.orchestrator.prepare(takeover(world, ref, behave, earlier), Progress())
    assert ref in await world.orchestrator.refs()
    with pytest.raises(RefusedByEngine):
        await world.orchestrator.remove(earlier)
    await world.orchestrator.remove(ref)
    await world.orchestrator.remove(earlier)
    assert {ref, earlier}.isdisjoint(await world.orchestrator.refs())


async def test_without_a_sidecar_nothing_is_created(
    world: Any, ref: JobRef, behave: Any, earlier: JobRef
) -> None:
    made = await world.orchestrator.prepare(takeover(world, ref, behave, earlier, sidecar=False), Progress())
    assert made.sidecar_id is None
    assert ref not in await world.orchestrator.refs()
    assert (await member_of(world, earlier, "/workspace/result"))[0] == b"made before"


@pytest.mark.parametrize("another", [False, True])
async def test_a_workspace_that_is_gone_is_not_taken_over(
    world: Any, ref: JobRef, behave: Any, earlier: JobRef, another: bool
) -> None:
    await world.orchestrator.remove(earlier)
    if another:
        present = JobRef(uid=uuid.uuid4().hex, id=earlier.id)
        await world.orchestrator.prepare(world.work(present, behave()), Progress())
    with pytest.raises(WorkspaceGone, match=earlier.id):
        await world.orchestrator.prepare(takeover(world, ref, behave, earlier), Progress())
    refs = await world.orchestrator.refs()
    assert {ref, earlier}.isdisjoint(refs)
