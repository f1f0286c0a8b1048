"""Log events: made of lines that are stored already, a moment's worth at a time, through restarts, and before the exit."""

from typing import Any

from jobd.jobs.log.log_event_batcher import ANNOUNCE_AFTER_S, ANNOUNCE_BYTES
from jobd.jobs.state.record import Record
from tests.support.fakes.worker import WorkerScript


async def told(house: Any, record: Record, stream: str = "stdout") -> list[list[str]]:
    return [
        event["data"]["lines"]
        for event in await house.events(record)
        if event["type"].endswith(".log") and event["data"]["stream"] == stream
    ]


async def test_lines_are_stored_at_once_and_announced_a_moment_later(house: Any) -> None:
    house.engine.workers["a"] = WorkerScript(lines=["one", "two"], errors=["three"], runs_s=None)
    record = await house.submit()
    await house.until(record, lambda now: now.log.seq == 3)
    assert (await house.store.log_stats(record.uid)).line_count == 3
    assert await told(house, record) == []
    await house.until(record, lambda now: now.log.announced == 3, tick_s=ANNOUNCE_AFTER_S / 4)
    assert await told(house, record) == [["one", "two"]]
    assert await told(house, record, "stderr") == [["three"]]


async def test_a_restart_announces_what_has_no_event_once_and_before_the_exit(house: Any) -> None:
    house.engine.workers["a"] = WorkerScript(lines=["one", "two"], rest="three", runs_s=5)
    record = await house.submit()
    await house.until(record, lambda now: now.log.seq == 2)
    await house.restart()
    assert await told(house, record) == []
    house.clock.advance(5)
    await house.ended(record, tick_s=0.1)
    assert [line for lines in await told(house, record) for line in lines] == ["one", "two", "three"]
    types = await house.event_types(record)
    assert types[0] == "start"
    assert types[-2:] == ["exit", "complete"]


async def test_a_flood_becomes_few_events_in_order(house: Any) -> None:
    lines = [f"{n:06d} " + "x" * 50 for n in range(6000)]
    house.engine.workers["a"] = WorkerScript(lines=lines)
    record = await house.ended(await house.submit())
    events = await told(house, record)
    assert [line for one in events for line in one] == lines
    assert len(events) <= record.log.size_bytes / ANNOUNCE_BYTES + 1
    assert [event["jobsequence"] for event in await house.events(record)] == list(
        range(1, record.events.sequence + 1)
    )


async def test_a_log_past_its_bound_says_so_in_the_event(house: Any) -> None:
    house.engine.workers["a"] = WorkerScript(lines=["x" * 900_000, "y" * 900_000, "z"])
    record = await house.ended(await house.submit())
    assert record.log.is_full
    gaps = [
        event["data"].get("gap") for event in await house.events(record) if event["type"].endswith(".log")
    ]
    assert gaps[-1] == "the log is full at 1048576 bytes; later lines are dropped"
    assert (await told(house, record))[-1][-1] == f"[jobd: {gaps[-1]}]"
