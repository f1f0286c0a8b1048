"""Retention counts by the clock since boot: a wrong wall clock neither removes objects early nor keeps them for ever."""

import logging
from typing import Any

import pytest

from jobd.errors import NotFound
from jobd.jobs.port.errors import EngineUnavailable

JOBS_S, HISTORY_S, DAY_S = 900, 86400, 86400


@pytest.mark.parametrize("jump_s", [8 * DAY_S, -8 * DAY_S, 365 * DAY_S])
async def test_a_wrong_wall_clock_removes_nothing(
    house: Any, jump_s: float, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("a", "b"):
        await house.ended(await house.submit(id=name))
    house.clock.jump(jump_s)
    with caplog.at_level(logging.WARNING):
        await house.retention.sweep()
    assert [record.message for record in caplog.records] == ["the wall clock was set"]
    await house.ended(await house.submit(id="c"))  # ended while the clock was wrong
    house.clock.advance(8)
    await house.retention.sweep()
    house.clock.jump(-jump_s)
    await house.retention.sweep()
    assert {ref.id for ref in await house.engine.refs()} == {"a", "b", "c"}
    house.clock.advance(JOBS_S)
    await house.retention.sweep()
    assert await house.engine.refs() == []
    for name in ("a", "b", "c"):
        assert (await house.service.get(name)).status == "completed"
    house.clock.advance(HISTORY_S - JOBS_S)
    await house.retention.sweep()
    for name in ("a", "b", "c"):
        with pytest.raises(NotFound):
            await house.service.get(name)


async def test_an_unavailable_engine_does_not_delay_the_removal_of_records(house: Any) -> None:
    record = await house.ended(await house.submit(id="a"))
    house.clock.advance(JOBS_S + 1)
    await house.retention.sweep()
    house.clock.advance(HISTORY_S)
    await house.ended(await house.submit(id="b"))
    house.clock.advance(JOBS_S + 1)
    house.engine.away = True
    with pytest.raises(EngineUnavailable):
        await house.retention.sweep()
    assert await house.store.get_by_uid(record.uid) is None
