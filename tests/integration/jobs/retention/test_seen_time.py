"""Retention counts by the clock since boot: a wrong wall clock neither removes objects early nor keeps them for ever."""

import logging
from typing import Any

import pytest

from jobd.errors import NotFound
from jobd.jobs.port.errors import EngineUnavailable

JOBS_S, HISTORY_S, DAY_S = 900, 86400, 86400


@pytest.mark.parametrize("jump_s", [8 * DAY_S, -8 * DAY_S, 365 * DAY_S])
async def test_a_wrong_wall_clock_removes_nothing(
    system: Any, jump_s: float, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("a", "b"):
        await system.ended(await system.submit(id=name))
    system.clock.jump(jump_s)
    with caplog.at_level(logging.WARNING):
        await system.retention.sweep()
    assert [record.message for record in caplog.records] == ["the wall clock was set"]
    await system.ended(await system.submit(id="c"))  # ended while the clock was wrong
    system.clock.advance(8)
    await system.retention.sweep()
    system.clock.jump(-jump_s)
    await system.retention.sweep()
    assert {ref.id for ref in await system.engine.refs()} == {"a", "b", "c"}
    system.clock.advance(JOBS_S)
    await system.retention.sweep()
    assert await system.engine.refs() == []
    for name in ("a", "b", "c"):
        assert (await system.service.get(name)).status == "completed"
    system.clock.advance(HISTORY_S - JOBS_S)
    await system.retention.sweep()
    for name in ("a", "b", "c"):
        with pytest.raises(NotFound):
            await system.service.get(name)


async def test_an_unavailable_engine_does_not_delay_the_removal_of_records(system: Any) -> None:
    record = await system.ended(await system.submit(id="a"))
    system.clock.advance(JOBS_S + 1)
    await system.retention.sweep()
    system.clock.advance(HISTORY_S)
    await system.ended(await system.submit(id="b"))
    system.clock.advance(JOBS_S + 1)
    system.engine.away = True
    with pytest.raises(EngineUnavailable):
        await system.retention.sweep()
    assert await system.store.get_by_uid(record.uid) is None
