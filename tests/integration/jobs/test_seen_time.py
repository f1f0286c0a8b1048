"""Retention counts the time that jobd has seen pass: whatever the wall clock says, nothing goes early, and nothing stays for ever."""

import logging
from typing import Any

import pytest

from jobd.errors import NotFound
from jobd.jobs.port.errors import EngineUnavailable

JOBS_S, HISTORY_S, DAY_S = 900, 86400, 86400


@pytest.mark.parametrize("jump_s", [8 * DAY_S, -8 * DAY_S, 365 * DAY_S])
async def test_a_wall_clock_that_is_wrong_for_seconds_lets_nothing_go(
    house: Any, jump_s: float, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("a", "b"):
        await house.ended(await house.submit(id=name))
    house.clock.jump(jump_s)
    with caplog.at_level(logging.WARNING):
        await house.retention.sweep()
    assert [record.message for record in caplog.records] == ["the wall clock was set"]
    await house.ended(await house.submit(id="c"))  # ended by a wrong clock
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


async def test_an_engine_that_is_away_keeps_no_record_longer(house: Any) -> None:
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
