"""Log events contain stored lines: batched, over restarts, and before the exit event."""

from typing import Any

from jobd.jobs.log.log_event_batcher import FLUSH_AFTER_S, FLUSH_AT_BYTES
from jobd.jobs.state.record import Record
from tests.support.fakes.worker import WorkerScript


async def logged(house: Any, record: Record, stream: str = "stdout") -> list[list[str]]:
    return [
        event["data"]["lines"]
        for event in await house.events(record)
        if event["type"].endswith(".log") and event["data"]["stream"] == stream
    ]


async def test_lines_are_stored_at_once_and_get_their_event_a_moment_later(house: Any) -> None:
    house.engine.workers["a"] = WorkerScript(lines=["one", "two"], errors=["three"], runs_s=None)
    record = await house.submit()
    await house.until(record, lambda now: now.log.seq == 3)
    assert (await house.store.log_stats(record.uid)).line_count == 3
    assert await logged(house, record) == []
    await house.until(record, lambda now: now.log.announced == 3, tick_s=FLUSH_AFTER_S / 4)
    assert await logged(house, record) == [["one", "two"]]
    assert await logged(house, record, "stderr") == [["three"]]


async def test_after_a_restart_pending_lines_get_their_event_once_and_before_the_exit(house: Any) -> None:
    house.engine.workers["a"] = WorkerScript(lines=["one", "two"], rest="three", runs_s=5)
    record = await house.submit()
    await house.until(record, lambda now: now.log.seq == 2)
    await house.restart()
    assert await logged(house, record) == []
    house.clock.advance(5)
    await house.ended(record, tick_s=0.1)
    assert [line for lines in await logged(house, record) for line in lines] == ["one", "two", "three"]
    types = await house.event_types(record)
    assert types[0] == "start"
    assert types[-2:] == ["exit", "complete"]


async def test_a_flood_becomes_few_events_in_order(house: Any) -> None:
    lines = [f"{n:06d} " + "x" * 50 for n in range(6000)]
    house.engine.workers["a"] = WorkerScript(lines=lines)
    record = await house.ended(await house.submit())
    events = await logged(house, record)
    assert [line for one in events for line in one] == lines
    assert len(events) <= record.log.size_bytes / FLUSH_AT_BYTES + 1
    assert [event["jobsequence"] for event in await house.events(record)] == list(
        range(1, record.events.sequence + 1)
    )


async def test_the_event_of_a_full_log_says_so(house: Any) -> None:
    house.engine.workers["a"] = WorkerScript(lines=["x" * 900_000, "y" * 900_000, "z"])
    record = await house.ended(await house.submit())
    assert record.log.is_full
    gaps = [
        event["data"].get("gap") for event in await house.events(record) if event["type"].endswith(".log")
    ]
    assert gaps[-1] == "the log is full at 1048576 bytes; later lines are dropped"
    assert (await logged(house, record))[-1][-1] == f"[jobd: {gaps[-1]}]"
