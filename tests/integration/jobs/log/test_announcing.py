"""Log events contain stored lines: batched, over restarts, and before the exit event."""

from typing import Any

from jobd.jobs.log.log_event_batcher import FLUSH_AFTER_S, FLUSH_AT_BYTES
from jobd.jobs.record.record import Record
from tests.support.fakes.worker import WorkerScript


async def logged(system: Any, record: Record, stream: str = "stdout") -> list[list[str]]:
    return [
        event["data"]["lines"]
        for event in await system.events(record)
        if event["type"].endswith(".log") and event["data"]["stream"] == stream
    ]


async def test_lines_are_stored_at_once_and_get_their_event_a_moment_later(system: Any) -> None:
    system.engine.workers["a"] = WorkerScript(lines=["one", "two"], errors=["three"], runs_s=None)
    record = await system.submit()
    await system.until(record, lambda now: now.log.seq == 3)
    assert (await system.store.log_stats(record.uid)).line_count == 3
    assert await logged(system, record) == []
    await system.until(record, lambda now: now.log.announced == 3, tick_s=FLUSH_AFTER_S / 4)
    assert await logged(system, record) == [["one", "two"]]
    assert await logged(system, record, "stderr") == [["three"]]


async def test_after_a_restart_pending_lines_get_their_event_once_and_before_the_exit(system: Any) -> None:
    system.engine.workers["a"] = WorkerScript(lines=["one", "two"], rest="three", runs_s=5)
    record = await system.submit()
    await system.until(record, lambda now: now.log.seq == 2)
    await system.restart()
    assert await logged(system, record) == []
    system.clock.advance(5)
    await system.ended(record, tick_s=0.1)
    assert [line for lines in await logged(system, record) for line in lines] == ["one", "two", "three"]
    types = await system.event_types(record)
    assert types[0] == "start"
    assert types[-2:] == ["exit", "complete"]


async def test_a_flood_becomes_few_events_in_order(system: Any) -> None:
    lines = [f"{n:06d} " + "x" * 50 for n in range(6000)]
    system.engine.workers["a"] = WorkerScript(lines=lines)
    record = await system.ended(await system.submit())
    events = await logged(system, record)
    assert [line for one in events for line in one] == lines
    assert len(events) <= record.log.size_bytes / FLUSH_AT_BYTES + 1
    assert [event["jobsequence"] for event in await system.events(record)] == list(
        range(1, record.events.sequence + 1)
    )


async def test_the_event_of_a_full_log_says_so(system: Any) -> None:
    system.engine.workers["a"] = WorkerScript(lines=["x" * 900_000, "y" * 900_000, "z"])
    record = await system.ended(await system.submit())
    assert record.log.is_full
    gaps = [
        event["data"].get("gap") for event in await system.events(record) if event["type"].endswith(".log")
    ]
    assert gaps[-1] == "the log is full at 1048576 bytes; later lines are dropped"
    assert (await logged(system, record))[-1][-1] == f"[jobd: {gaps[-1]}]"
