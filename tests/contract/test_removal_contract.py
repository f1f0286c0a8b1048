"""The contract of removals: what is gone, what still names the job, and when a start is refused."""

from typing import Any

import pytest

from jobd.jobs.port.errors import (
    EngineUnavailable,
    StartFailed,
)
from jobd.jobs.port.model import (
    ContainerState,
    JobRef,
    Observation,
    StartFate,
)
from tests.contract.steps import Until, ended, run
from tests.contract.worlds import Ability, needs
from tests.support.progress import Progress


async def test_nothing_is_left_after_removal(world: Any, ref: JobRef, behave: Any) -> None:
    await world.orchestrator.prepare(world.work(ref, behave(stays=True)), Progress())
    await world.orchestrator.start_worker(ref)
    await world.orchestrator.remove(ref)
    assert await world.orchestrator.observe(ref) == Observation(None, None)
    assert ref not in await world.orchestrator.refs()
    await world.orchestrator.remove(ref)


async def test_the_volume_alone_still_names_the_job(world: Any, ref: JobRef, behave: Any) -> None:
    needs(world, Ability.SINGLE_CONTAINERS)
    await world.orchestrator.prepare(world.work(ref, behave()), Progress())
    await world.orchestrator.remove(ref, "worker")
    assert (await world.orchestrator.observe(ref)).worker is None
    assert ref in await world.orchestrator.refs()


async def test_what_has_not_run_is_removed_and_its_late_start_finds_nothing(
    world: Any, ref: JobRef, behave: Any
) -> None:
    made = await world.orchestrator.prepare(world.work(ref, behave()), Progress())
    assert await world.orchestrator.remove_unstarted(ref, "worker", made.worker_id) == StartFate("never")
    assert (await world.orchestrator.observe(ref)).worker is None
    assert await world.orchestrator.remove_unstarted(ref, "worker", made.worker_id) == StartFate("never")
    with pytest.raises(StartFailed):
        await world.orchestrator.start_worker(ref)


def has_run(seen: Observation) -> bool:
    return seen.worker is not None and seen.worker.started_at is not None


@pytest.mark.parametrize("stays", [True, False])
async def test_what_has_run_is_not_removed_as_not_started(
    world: Any, ref: JobRef, behave: Any, until: Until, stays: bool
) -> None:
    made = await world.orchestrator.prepare(world.work(ref, behave(stays=stays, exit_code=7)), Progress())
    await world.orchestrator.start_worker(ref)
    seen = await until(ref, lambda now: has_run(now) and (stays or ended(now)))
    assert await world.orchestrator.remove_unstarted(ref, "worker", made.worker_id) == StartFate("began")
    assert await world.orchestrator.observe(ref) == seen


async def test_what_has_run_and_is_gone_is_known_by_its_end(
    world: Any, ref: JobRef, behave: Any, until: Until
) -> None:
    worker = await run(world, ref, behave(exit_code=7), until)
    await world.orchestrator.remove_stopped(ref)
    fate = await world.orchestrator.remove_unstarted(ref, "worker", worker.id)
    assert fate.kind == "began"
    assert fate.end is not None
    assert (fate.end.exit_code, fate.end.ended, fate.end.attempt) == (7, True, 1)


async def test_a_removal_that_kills_nothing_waits_for_what_runs(
    world: Any, ref: JobRef, behave: Any, until: Until
) -> None:
    await world.orchestrator.prepare(world.work(ref, behave(stays=True)), Progress())
    await world.orchestrator.start_worker(ref)
    await until(ref, has_run)
    with pytest.raises(EngineUnavailable):
        await world.orchestrator.remove_stopped(ref)
    seen = await world.orchestrator.observe(ref)
    assert seen.worker is not None
    assert seen.worker.state is ContainerState.RUNNING
    await world.orchestrator.signal(ref, "worker", "SIGKILL")
    await until(ref, ended)
    await world.orchestrator.remove_stopped(ref)
    assert await world.orchestrator.observe(ref) == Observation(None, None)
    assert ref not in await world.orchestrator.refs()
