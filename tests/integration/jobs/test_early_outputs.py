"""Outputs begin while the ended worker's log is drained; their events follow the exit event all the same."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from jobd.jobs.record.states import DrainingLog
from jobd.jobs.run import execution, held_reports
from jobd.jobs.state import facts
from jobd.wire.artifact import Read, Write
from tests.support.fakes.worker import WorkerScript

FILES = (Write(id="in", source="x", out="f"), Read(id="out", source="f", depends="job"))
STAYS = WorkerScript(lines=["one"], rest="two", runs_s=None)


@pytest.fixture
def notified(system: Any, monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """The signals to the sidecar, by the worker's success."""
    signals: list[bool] = []
    notify = system.engine.notify_worker_ended

    async def counted(ref: Any, succeeded: bool) -> None:
        signals.append(succeeded)
        await notify(ref, succeeded)

    monkeypatch.setattr(system.engine, "notify_worker_ended", counted)
    return signals


async def drained(system: Any, exit_code: int = 0, **fields: Any) -> Any:
    """Returns the record of a job whose worker has ended and whose log the engine does not return."""
    system.engine.workers["a"] = STAYS
    record = await system.submit(*FILES, **fields)
    record = await system.until(record, lambda now: now.log.seq == 1)
    system.engine.unreadable_logs.add("worker")
    system.engine.end("a", "worker", exit_code)
    return await system.until(record, lambda now: isinstance(now.state, DrainingLog))


async def some_time(system: Any, record: Any) -> None:
    for _ in range(30):
        system.clock.advance(0.1)
        await system.stored(record)


@pytest.mark.parametrize("restart", [False, True])
async def test_outputs_begin_during_the_drain_and_their_events_follow_the_exit(
    system: Any, notified: list[bool], restart: bool
) -> None:
    record = await drained(system)
    record = await system.until(record, lambda now: bool(notified), tick_s=0.1)
    await some_time(system, record)
    assert (await system.event_types(record))[-1] in ("start", "log")
    if restart:
        await system.restart()
    system.engine.unreadable_logs.clear()
    record = await system.ended(record, tick_s=0.1)
    assert record.status == "completed"
    types = [type for type in await system.event_types(record) if type != "log"]
    assert types == ["artifact", "start", "exit", "artifact", "complete"]


async def test_reports_over_the_bound_are_read_again_after_the_drain(
    system: Any, notified: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(held_reports, "MAX_HELD_BYTES", 0)
    record = await drained(system)
    record = await system.until(record, lambda now: bool(notified), tick_s=0.1)
    await some_time(system, record)
    system.engine.unreadable_logs.clear()
    record = await system.ended(record, tick_s=0.1)
    assert record.status == "completed"
    types = [type for type in await system.event_types(record) if type != "log"]
    assert types == ["artifact", "start", "exit", "artifact", "complete"]


async def test_an_attempt_that_is_repeated_delivers_no_outputs(system: Any, notified: list[bool]) -> None:
    record = await drained(system, exit_code=1, retries=1)
    await some_time(system, record)
    assert notified == []
    system.engine.workers["a"] = WorkerScript(lines=["two"])
    system.engine.unreadable_logs.clear()
    record = await system.ended(record, tick_s=0.5)
    assert (record.status, record.attempt.number) == ("completed", 2)
    assert set(notified) == {True}


async def test_a_cancelled_job_delivers_no_outputs_during_the_drain(
    system: Any, notified: list[bool]
) -> None:
    system.engine.workers["a"] = STAYS
    record = await system.submit(*FILES)
    record = await system.until(record, lambda now: now.log.seq == 1)
    system.engine.unreadable_logs.add("worker")
    await system.service.cancel(record.id, facts.CancelRequested("me", grace_s=0, delete=False))
    record = await system.until(record, lambda now: isinstance(now.state, DrainingLog), tick_s=0.1)
    await some_time(system, record)
    assert notified == []


async def test_a_signal_that_fails_during_the_drain_is_sent_after_it(
    system: Any, notified: list[bool]
) -> None:
    system.engine.errors["notify_worker_ended"] = "no"
    record = await drained(system)
    record = await system.until(record, lambda now: bool(notified), tick_s=0.1)
    system.engine.errors.clear()
    notified.clear()
    system.engine.unreadable_logs.clear()
    record = await system.ended(record, tick_s=0.1)
    assert (record.status, notified) == ("completed", [True])


async def test_a_signal_that_takes_longer_than_a_read_that_fails_arrives(
    system: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    notify, arrived = system.engine.notify_worker_ended, False

    async def slowly(*args: Any) -> None:
        nonlocal arrived
        for _ in range(100):
            await asyncio.sleep(0)
        await notify(*args)
        arrived = True

    monkeypatch.setattr(system.engine, "notify_worker_ended", slowly)
    record = await drained(system)
    await system.until(record, lambda now: arrived, tick_s=0.1)
    assert isinstance((await system.stored(record)).state, DrainingLog)


@pytest.mark.parametrize("again", [False, True], ids=["once", "twice"])
async def test_a_stop_during_the_drain_waits_for_no_signal_and_leaves_none_under_way(
    system: Any, monkeypatch: pytest.MonkeyPatch, again: bool
) -> None:
    """The engine answers neither the read of the log nor the signal to the sidecar."""
    monkeypatch.setattr(execution, "EARLY_NOTIFICATION_LIMIT_S", 3600.0)
    under_way: set[str] = set()

    async def hang(name: str) -> None:
        under_way.add(name)
        try:
            await asyncio.Event().wait()
        finally:
            under_way.discard(name)

    async def logs(*args: Any) -> AsyncIterator[Any]:
        await hang("log")
        yield

    system.engine.workers["a"] = STAYS
    record = await system.submit(*FILES)
    record = await system.until(record, lambda now: now.log.seq == 1)
    monkeypatch.setattr(system.engine, "notify_worker_ended", lambda *args: hang("signal"))
    monkeypatch.setattr(system.engine, "logs", logs)
    system.engine.end("a", "worker", 0)
    await system.until(record, lambda now: under_way == {"log", "signal"}, tick_s=0.1)
    run = system.supervisors._tasks[record.uid]
    run.cancel()
    if again:
        await asyncio.sleep(0)
        run.cancel()
    async with asyncio.timeout(60):
        await asyncio.wait({run})
    assert under_way == set()
