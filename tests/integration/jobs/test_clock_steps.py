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
    system: Any, monkeypatch: pytest.MonkeyPatch, step_s: float
) -> None:
    start_worker, jumps = system.engine.start_worker, iter([step_s])

    async def starting(ref: Any) -> None:
        await start_worker(ref)
        system.clock.jump(next(jumps, 0.0))

    monkeypatch.setattr(system.engine, "start_worker", starting)
    system.engine.workers["a"] = WorkerScript(runs_s=None)
    record = await system.submit(timeout_seconds=LIMIT_S)
    await system.until(record, lambda now: now.started_at is not None)
    system.clock.advance(LIMIT_S - 5)
    await system.until(record, lambda now: abs(now.clock.offset - system.clock.offset()) < 1)
    assert not (await system.stored(record)).timed_out
    system.clock.advance(10)
    assert (await system.ended(record, tick_s=1)).reason == "timeout"


@pytest.mark.parametrize("skew_s", [8 * DAY_S, -8 * DAY_S])
async def test_a_slow_start_on_an_engine_with_another_clock_takes_nothing_of_the_limit(
    system: Any, monkeypatch: pytest.MonkeyPatch, skew_s: float
) -> None:
    start_worker = system.engine.start_worker

    async def starting(ref: Any) -> None:
        system.clock.advance(20)
        system.clock.jump(skew_s)
        await start_worker(ref)
        system.clock.jump(-skew_s)
        for _ in range(20):
            await asyncio.sleep(0)  # the hint of the start arrives before the answer

    monkeypatch.setattr(system.engine, "start_worker", starting)
    system.engine.workers["a"] = WorkerScript(runs_s=None)
    record = await system.submit(timeout_seconds=LIMIT_S)
    await system.until(record, lambda now: now.started_at is not None)
    system.clock.advance(LIMIT_S - 5)
    for _ in range(20):
        assert not (await system.stored(record)).timed_out
    system.clock.advance(10)
    assert (await system.ended(record, tick_s=1)).reason == "timeout"


@pytest.mark.parametrize("step_s", [8 * DAY_S, -8 * DAY_S])
async def test_each_fact_is_applied_with_the_clock_of_its_time(system: Any, step_s: float) -> None:
    system.engine.workers["a"] = WorkerScript(runs_s=None)
    record = await system.submit(timeout_seconds=LIMIT_S)
    before = await system.until(record, lambda now: now.started_at is not None)
    system.clock.jump(step_s)
    worker = ContainerFacts(before.worker_id, ContainerState.RUNNING, 1, started_at=before.started_at)
    await system.supervisors.get(record.uid).apply(facts.Observed(Observation(worker, None)))
    await system.supervisors.get(record.uid).apply(facts.StopSent(kill=False))
    now = system.supervisors.get(record.uid).record
    assert (now.worker.deadline - before.worker.deadline).total_seconds() == pytest.approx(step_s)
    assert now.stop.sent_at == system.clock.now()
