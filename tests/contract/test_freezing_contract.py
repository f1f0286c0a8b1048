"""The contract of freezing and thawing a worker."""

from typing import Any

from jobd.jobs.port.model import ContainerState, JobRef, Observation
from tests.contract.steps import Until, ended
from tests.contract.worlds import Ability, needs
from tests.support.progress import Progress


def frozen(seen: Observation) -> bool:
    return seen.worker is not None and seen.worker.frozen


async def test_a_worker_is_frozen_and_thawed_and_each_call_may_be_repeated(
    world: Any, ref: JobRef, behave: Any, until: Until
) -> None:
    needs(world, Ability.FREEZING)
    port = world.orchestrator
    await port.freeze_worker(ref)  # a missing worker is no error
    await port.thaw_worker(ref)
    await port.prepare(world.work(ref, behave(stays=True)), Progress())
    await port.freeze_worker(ref)  # nor is one that does not run yet
    await port.start_worker(ref)
    before = (await port.observe(ref)).worker
    assert not before.frozen
    for _ in range(2):
        await port.freeze_worker(ref)
        seen = (await port.observe(ref)).worker
        assert (seen.state, seen.frozen) == (ContainerState.RUNNING, True)
        assert (seen.id, seen.started_at) == (before.id, before.started_at)
    for _ in range(2):
        await port.thaw_worker(ref)
        assert (await port.observe(ref)).worker == before
    await port.signal(ref, "worker", "SIGKILL")
    await until(ref, ended)
    await port.freeze_worker(ref)
    await port.thaw_worker(ref)
    assert not frozen(await port.observe(ref))


async def test_a_frozen_worker_is_killed_and_removed_by_force(
    world: Any, ref: JobRef, behave: Any, until: Until
) -> None:
    needs(world, Ability.FREEZING)
    port = world.orchestrator
    for kills in (True, False):
        await port.prepare(world.work(ref, behave(stays=True)), Progress())
        await port.start_worker(ref)
        await port.freeze_worker(ref)
        if kills:
            await port.signal(ref, "worker", "SIGKILL")
            seen = await until(ref, ended)
            assert not frozen(seen)
        await port.remove(ref)
        assert (await port.observe(ref)).worker is None
