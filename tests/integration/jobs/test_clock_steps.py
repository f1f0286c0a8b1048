"""The wall clock is set while a fact is applied: no time limit changes, whichever fact comes first after the step."""

import asyncio
from typing import Any

import pytest

from jobd.jobs.port.model import ContainerFacts, ContainerState, Observation
from jobd.jobs.state import facts
from tests.support.fakes.worker import WorkerScript

DAY_S = 86400.0
LIMIT_S = 60


@pytest.mark.parametrize("step_s", [8 * DAY_S, -8 * DAY_S, 120.0])
async def test_a_clock_step_just_before_the_start_leaves_the_time_limit_unchanged(
    house: Any, monkeypatch: pytest.MonkeyPatch, step_s: float
) -> None:
    start_worker, jumps = house.engine.start_worker, iter([step_s])

    async def starting(ref: Any) -> None:
        await start_worker(ref)
        house.clock.jump(next(jumps, 0.0))

    monkeypatch.setattr(house.engine, "start_worker", starting)
    house.engine.workers["a"] = WorkerScript(runs_s=None)
    record = await house.submit(timeout_seconds=LIMIT_S)
    await house.until(record, lambda now: now.started_at is not None)
    house.clock.advance(LIMIT_S - 5)
    await house.until(record, lambda now: abs(now.clock.offset - house.clock.offset()) < 1)
    assert not (await house.stored(record)).timed_out
    house.clock.advance(10)
    assert (await house.ended(record, tick_s=1)).reason == "timeout"


@pytest.mark.parametrize("skew_s", [8 * DAY_S, -8 * DAY_S])
async def test_a_slow_start_on_an_engine_with_another_clock_takes_nothing_of_the_limit(
    house: Any, monkeypatch: pytest.MonkeyPatch, skew_s: float
) -> None:
    start_worker = house.engine.start_worker

    async def starting(ref: Any) -> None:
        house.clock.advance(20)
        house.clock.jump(skew_s)
        await start_worker(ref)
        house.clock.jump(-skew_s)
        for _ in range(20):
            await asyncio.sleep(0)  # the hint of the start arrives before the answer

    monkeypatch.setattr(house.engine, "start_worker", starting)
    house.engine.workers["a"] = WorkerScript(runs_s=None)
    record = await house.submit(timeout_seconds=LIMIT_S)
    await house.until(record, lambda now: now.started_at is not None)
    house.clock.advance(LIMIT_S - 5)
    for _ in range(20):
        assert not (await house.stored(record)).timed_out
    house.clock.advance(10)
    assert (await house.ended(record, tick_s=1)).reason == "timeout"


@pytest.mark.parametrize("step_s", [8 * DAY_S, -8 * DAY_S])
async def test_each_fact_is_applied_with_the_clock_of_its_time(house: Any, step_s: float) -> None:
    house.engine.workers["a"] = WorkerScript(runs_s=None)
    record = await house.submit(timeout_seconds=LIMIT_S)
    before = await house.until(record, lambda now: now.started_at is not None)
    house.clock.jump(step_s)
    worker = ContainerFacts(before.worker_id, ContainerState.RUNNING, 1, started_at=before.started_at)
    await house.supervisors.get(record.uid).apply(facts.Observed(Observation(worker, None)))
    await house.supervisors.get(record.uid).apply(facts.StopSent(kill=False))
    now = house.supervisors.get(record.uid).record
    assert (now.worker.deadline - before.worker.deadline).total_seconds() == pytest.approx(step_s)
    assert now.stop.sent_at == house.clock.now()
