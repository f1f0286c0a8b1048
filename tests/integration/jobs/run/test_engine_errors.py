"""Transient errors of the engine: jobd retries, counts the time over restarts, and fails the job after the limit."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from jobd.jobs.record.parts import EngineErrors

FULL = "the engine's disk is full"
LIMIT_S = 900.0


async def until(system: Any, record: Any, condition: Callable[[Any], bool]) -> Any:
    """Like `system.until`, with time between two ticks for the supervisor's commits."""
    async with asyncio.timeout(60):
        while not condition(now := await system.stored(record)):
            system.clock.advance(1)
            await asyncio.sleep(0.002)
        return now


def waited_s(record: Any) -> float:
    errors: EngineErrors | None = record.attempt.engine_errors
    return errors.seconds if errors else 0.0


async def counted(system: Any, record: Any, seconds: float) -> Any:
    return await until(system, record, lambda now: waited_s(now) > seconds or now.ended)


async def ended(system: Any, record: Any) -> Any:
    return await until(system, record, lambda now: now.ended)


@pytest.mark.parametrize("call", ["pull", "create", "start_worker"])
async def test_a_job_with_engine_errors_fails_after_the_limit_and_frees_its_slot(
    system: Any, call: str
) -> None:
    system.engine.errors[call] = FULL
    record = await system.submit()
    waiting = await counted(system, record, 60)
    assert not waiting.ended
    view = await system.service.get("a")
    assert view.waiting_for.startswith(f"another try: {FULL}; the job fails after ")
    end = await ended(system, record)
    assert (end.status, end.reason) == ("failed", "engine-error")
    assert end.error.startswith("the engine answered with errors for ")
    assert not system.engine.starts
    system.engine.errors.clear()
    assert (await ended(system, await system.submit(id="b"))).status == "completed"


async def test_the_error_time_continues_after_a_restart(system: Any) -> None:
    system.engine.errors["create"] = FULL
    record = await system.submit()
    before = await counted(system, record, LIMIT_S / 2)
    await system.restart()
    again = await counted(system, record, waited_s(before))
    assert waited_s(again) < waited_s(before) + 60, "the time of the restart itself is not counted"
    assert (await ended(system, record)).reason == "engine-error"


async def test_a_job_waits_for_an_unavailable_engine_without_a_limit(system: Any) -> None:
    system.engine.errors["create"] = FULL
    record = await system.submit()
    before = await counted(system, record, 30)
    system.engine.away = True
    for _ in range(200):
        system.clock.advance(60)
        assert not (await system.stored(record)).ended
    system.engine.errors.clear()
    system.engine.away = False
    end = await ended(system, record)
    assert (end.status, waited_s(end)) == ("completed", 0)
    assert waited_s(before) < LIMIT_S


async def test_a_transient_engine_error_leaves_no_trace(system: Any) -> None:
    system.engine.errors["create"] = FULL
    record = await system.submit()
    await counted(system, record, 30)
    system.engine.errors.clear()
    end = await ended(system, record)
    assert (end.status, end.attempt.engine_errors) == ("completed", None)
