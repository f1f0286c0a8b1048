"""Errors that the engine answers with, one job at a time: asked again, counted over restarts, and then an end."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from jobd.jobs.state.parts import EngineErrors

FULL = "the engine's disk is full"
LIMIT_S = 900.0


async def until(house: Any, record: Any, condition: Callable[[Any], bool]) -> Any:
    """As the house's own, with room between two ticks for what the supervisor stores."""
    async with asyncio.timeout(60):
        while not condition(now := await house.stored(record)):
            house.clock.advance(1)
            await asyncio.sleep(0.002)
        return now


def waited_s(record: Any) -> float:
    errors: EngineErrors | None = record.attempt.engine_errors
    return errors.seconds if errors else 0.0


async def counted(house: Any, record: Any, seconds: float) -> Any:
    return await until(house, record, lambda now: waited_s(now) > seconds or now.ended)


async def ended(house: Any, record: Any) -> Any:
    return await until(house, record, lambda now: now.ended)


@pytest.mark.parametrize("call", ["create", "start_worker"])
async def test_a_job_that_the_engine_answers_with_errors_fails_after_the_limit_and_frees_its_place(
    house: Any, call: str
) -> None:
    house.engine.errors[call] = FULL
    record = await house.submit()
    waiting = await counted(house, record, 60)
    assert not waiting.ended
    view = await house.service.get("a")
    assert view.waiting_for.startswith(f"another try: {FULL}; the job fails after ")
    end = await ended(house, record)
    assert (end.status, end.reason) == ("failed", "engine-error")
    assert end.error.startswith("the engine answered with errors for 1")
    assert not house.engine.starts
    house.engine.errors.clear()
    assert (await ended(house, await house.submit(id="b"))).status == "completed"


async def test_the_time_counts_on_after_a_restart(house: Any) -> None:
    house.engine.errors["create"] = FULL
    record = await house.submit()
    before = await counted(house, record, LIMIT_S / 2)
    await house.restart()
    again = await counted(house, record, waited_s(before))
    assert waited_s(again) < waited_s(before) + 60, "the time of the restart itself is not counted"
    assert (await ended(house, record)).reason == "engine-error"


async def test_an_engine_that_is_away_is_waited_for_without_an_end(house: Any) -> None:
    house.engine.errors["create"] = FULL
    record = await house.submit()
    before = await counted(house, record, 30)
    house.engine.away = True
    for _ in range(200):
        house.clock.advance(60)
        assert not (await house.stored(record)).ended
    house.engine.errors.clear()
    house.engine.away = False
    end = await ended(house, record)
    assert (end.status, waited_s(end)) == ("completed", 0)
    assert waited_s(before) < LIMIT_S


async def test_an_error_that_passes_leaves_no_trace(house: Any) -> None:
    house.engine.errors["create"] = FULL
    record = await house.submit()
    await counted(house, record, 30)
    house.engine.errors.clear()
    end = await ended(house, record)
    assert (end.status, end.attempt.engine_errors) == ("completed", None)
