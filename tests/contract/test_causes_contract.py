"""Every engine reports what ended a container."""

import asyncio
from typing import Any

import pytest

from jobd.jobs.port.errors import EngineUnavailable
from jobd.jobs.port.model import ContainerFacts, ContainerState, EndCause, JobRef
from jobd.jobs.port.protocols import EnginePort
from tests.contract.worlds import OF_ONE_MACHINE, OPTIONAL
from tests.support.progress import Progress


async def cause_of(engine: EnginePort, ref: JobRef, ended: ContainerFacts, deadline_s: float) -> EndCause:
    """Returns the cause once it is known."""
    async with asyncio.timeout(deadline_s):
        while True:
            try:
                return await engine.end_cause(ref, "worker", ended)
            except EngineUnavailable:
                await asyncio.sleep(0.02)


@pytest.mark.parametrize("cause", list(EndCause), ids=lambda cause: cause.value)
async def test_each_cause_is_reported(world: Any, ref: JobRef, cause: EndCause) -> None:
    if cause in world.without:
        assert cause in OPTIONAL | OF_ONE_MACHINE, "every engine tells this one"
        return
    engine, ended = await world.end_for(cause, ref)
    assert (ended.state, ended.attempt) == (ContainerState.ENDED, ref.attempt)
    assert ended.cause is not None
    assert await cause_of(engine, ref, ended, world.deadline_s) is cause
    assert await cause_of(engine, ref, ended, world.deadline_s) is cause, (
        "asked again, the answer is the same"
    )


@pytest.mark.parametrize("code", [0, 1, 42, 255])
async def test_an_engine_that_stayed_up_is_not_the_cause(
    world: Any, ref: JobRef, behave: Any, until: Any, code: int
) -> None:
    await world.orchestrator.prepare(world.work(ref, behave(exit_code=code)), Progress())
    await world.orchestrator.start_worker(ref)
    worker = (await until(ref, lambda seen: seen.worker is not None and seen.worker.ended)).worker
    assert worker.cause is EndCause.OWN_EXIT
    assert await cause_of(world.orchestrator, ref, worker, world.deadline_s) is EndCause.OWN_EXIT
