"""A round of retention removes the containers of some jobs at once, and leaves nothing under way."""

import asyncio
from typing import Any

import pytest

from jobd.jobs.port.errors import EngineUnavailable
from jobd.jobs.port.model import JobRef
from jobd.jobs.retention import retention

JOBS_S = 900


async def kept(system: Any) -> set[str]:
    """The ids of jobs with containers or volumes on the engine."""
    return {ref.id for ref in await system.engine.refs()}


async def test_some_jobs_are_removed_at_once_and_all_are_awaited_before_an_error_is_raised(
    system: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [f"j{number}" for number in range(2 * retention.REMOVED_AT_ONCE)]
    for name in ids:
        await system.ended(await system.submit(id=name))
    system.clock.advance(JOBS_S + 1)
    remove, now, most = system.engine.remove, 0, 0

    async def counted(ref: JobRef, role: Any = None) -> None:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.02)
        now -= 1
        if ref.id == "j0":
            raise EngineUnavailable("it restarts")
        await remove(ref, role)

    monkeypatch.setattr(system.engine, "remove", counted)
    with pytest.raises(EngineUnavailable):
        await system.retention.sweep()
    monkeypatch.setattr(system.engine, "remove", remove)
    assert (now, most) == (0, retention.REMOVED_AT_ONCE)
    assert await kept(system) == {"j0", *ids[retention.REMOVED_AT_ONCE :]}
    await system.retention.sweep()
    assert await kept(system) == set()
