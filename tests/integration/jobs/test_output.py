"""A worker's live output: shown while a line is unfinished, dropped when the line is stored."""

from typing import Any

from jobd.jobs.port.model import StreamName
from tests.integration.jobs.test_log_loss import stored
from tests.support.fakes.worker import WorkerScript

SPEAKS = WorkerScript(lines=["one"], rest="two", runs_s=None)


def unfinished(house: Any, uid: str, seq: int) -> list[tuple[StreamName, int, bytes]]:
    output = house.live_outputs.of(uid)
    return [(part.stream, part.at, part.data) for part in output.unfinished(seq, {})] if output else []


async def test_an_unfinished_line_is_buffered_until_it_is_stored(house: Any) -> None:
    house.engine.workers["a"] = SPEAKS
    record = await house.submit()
    record = await house.until(record, lambda now: bool(unfinished(house, now.uid, 1)))
    assert unfinished(house, record.uid, 1) == [("stdout", 0, b"two")]
    assert await stored(house, record.uid) == [("one", None)]
    house.engine.end("a", "worker", 0)
    record = await house.ended(record)
    assert await stored(house, record.uid) == [("one", None), ("two", None)]
    await house.until(record, lambda now: house.live_outputs.of(now.uid) is None)


async def test_after_a_restart_of_jobd_lines_come_when_they_end(house: Any) -> None:
    house.engine.workers["a"] = SPEAKS
    record = await house.submit()
    record = await house.until(record, lambda now: now.log.seq == 1)
    await house.restart()
    record = await house.until(record, lambda now: house.live_outputs.of(now.uid) is not None)
    house.engine.end("a", "worker", 0)
    assert unfinished(house, record.uid, 1) == []
    record = await house.ended(record)
    assert await stored(house, record.uid) == [("one", None), ("two", None)]


async def test_a_full_log_ends_the_live_output(house: Any) -> None:
    house.engine.workers["a"] = WorkerScript(lines=["x" * 100_000] * 20, rest="two", runs_s=None)
    record = await house.submit()
    record = await house.until(record, lambda now: now.log.is_full)
    assert house.live_outputs.of(record.uid).ended.is_set()
    assert unfinished(house, record.uid, record.log.seq) == []
    house.engine.end("a", "worker", 0)
    await house.ended(record)


async def test_a_failed_start_leaves_no_live_output(house: Any) -> None:
    house.engine.workers["a"] = WorkerScript(start_error=(127, "no such command"))
    record = await house.ended(await house.submit())
    assert record.exit_code == 127
    await house.until(record, lambda now: house.live_outputs.of(now.uid) is None)
