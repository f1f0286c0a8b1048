"""Deleting a job whose files another job has taken."""

import asyncio
from typing import Any

from tests.integration.jobs.earlier_jobs.handovers import RETENTION_S, completed, files, running, workspace


async def test_a_user_deletes_the_earlier_job_as_soon_as_the_later_one_has_ended(system: Any) -> None:
    """The later job's sidecar, which has the workspace mounted, is still being removed. jobd itself removes no workspace meanwhile."""
    first = await completed(system, "a")
    second = await running(system, "b", files("a"))
    reached, go = asyncio.Event(), asyncio.Event()
    removing = system.engine.remove

    async def slow(ref: Any, *given: Any) -> None:
        if ref.id == "b":
            reached.set()
            await go.wait()
        await removing(ref, *given)

    system.engine.remove = slow
    system.engine.end("b", "worker", 0)
    await system.ended(second, tick_s=0.1)
    await asyncio.wait_for(reached.wait(), 5)
    system.clock.advance(RETENTION_S + 1)
    await system.retention._remove_containers_of(await system.store.get_by_uid(first.uid))
    assert workspace(system, "a") is not None
    await system.service.delete("a", "x")
    go.set()
    async with asyncio.timeout(10):
        while workspace(system, "a") is not None:
            system.clock.advance(0.1)
            await asyncio.sleep(0.005)
