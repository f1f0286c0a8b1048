"""The contract of a job's sidecar."""

from typing import Any

from jobd.jobs.port.model import (
    ContainerState,
    JobRef,
)
from jobd.wire.artifact import Artifact, Read, Write
from jobd.wire.report import ArtifactDone, Ready, SidecarOrder
from tests.contract.steps import Until, ended, reported, reports
from tests.contract.worlds import Ability, needs
from tests.support.progress import Progress


async def test_a_sidecar_starts_once(world: Any, ref: JobRef, behave: Any, until: Until) -> None:
    made = await world.orchestrator.prepare(world.work(ref, behave(), sidecar=True), Progress())
    assert made.sidecar_id is not None
    order = SidecarOrder(
        job_id=ref.id,
        job_uid=ref.uid,
        artifacts=[Write(id="w", source="hi", out="w"), Write(id="x", source="", out="x", depends="w")],
    )
    await world.orchestrator.start_inputs(ref, order)
    first = await until(ref, lambda seen: seen.sidecar is not None and seen.sidecar.started_at is not None)
    await world.orchestrator.start_inputs(ref, order)
    again = await world.orchestrator.observe(ref)
    assert first.sidecar is not None
    assert again.sidecar is not None
    assert again.sidecar.started_at == first.sidecar.started_at
    assert again.worker is not None
    assert again.worker.state is ContainerState.CREATED


async def test_a_worker_that_is_made_anew_finds_its_sidecar_and_what_it_left(
    world: Any, ref: JobRef, behave: Any, until: Until
) -> None:
    needs(world, Ability.SINGLE_CONTAINERS)
    made = await world.orchestrator.prepare(world.work(ref, behave(), sidecar=True), Progress())
    write = Write(id="w", source="hi", out="w.txt")
    await world.orchestrator.start_inputs(
        ref, SidecarOrder(job_id=ref.id, job_uid=ref.uid, artifacts=[write])
    )
    # Without outputs the sidecar may end before the first observation.
    await until(ref, lambda seen: seen.sidecar is not None and seen.sidecar.started_at is not None)
    await world.orchestrator.remove(ref, "worker")
    again = await world.orchestrator.prepare(world.work(ref, behave(), sidecar=True), Progress())
    assert again.sidecar_id == made.sidecar_id
    assert again.worker_id != made.worker_id
    seen = await world.orchestrator.observe(ref)
    assert (seen.worker.state, seen.sidecar.id) == (ContainerState.CREATED, made.sidecar_id)


async def test_a_sidecar_does_its_outputs_once_notified_of_the_workers_end(
    world: Any, ref: JobRef, behave: Any, until: Until
) -> None:
    await world.orchestrator.notify_worker_ended(ref, True)  # a missing sidecar is no error
    await world.orchestrator.prepare(world.work(ref, behave(writes={"f": "x"}), sidecar=True), Progress())
    assert (await world.orchestrator.probe()).has_sidecar_image
    outputs: list[Artifact] = [
        Read(id=when, source="f", depends="job", when=when) for when in ("success", "failure")
    ]
    order = SidecarOrder(job_id=ref.id, job_uid=ref.uid, artifacts=outputs)
    await world.orchestrator.start_inputs(ref, order)
    await reported(world, ref, Ready)
    await world.orchestrator.start_worker(ref)
    await until(ref, ended)
    for _ in range(2):
        await world.orchestrator.notify_worker_ended(ref, False)
    world.orchestrator.release_run(ref, lambda: 0.0)
    seen = await until(ref, lambda seen: seen.sidecar is not None and seen.sidecar.ended)
    assert seen.sidecar is not None
    assert seen.sidecar.exit_code == 0
    done = [one for one in await reports(world, ref) if isinstance(one, ArtifactDone)]
    assert {one.artifact_id: one.status for one in done} == {"success": "skipped", "failure": "success"}
    await world.orchestrator.notify_worker_ended(ref, True)
