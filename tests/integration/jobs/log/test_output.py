"""A worker's live output: shown while a line is unfinished, dropped when the line is stored."""

from typing import Any

from jobd.jobs.port.model import StreamName
from tests.integration.jobs.log.test_log_loss import stored
from tests.support.fakes.worker import WorkerScript

SPEAKS = WorkerScript(lines=["one"], rest="two", runs_s=None)


def unfinished(system: Any, uid: str, seq: int) -> list[tuple[StreamName, int, bytes]]:
    output = system.live_outputs.of(uid)
    return [(part.stream, part.at, part.data) for part in output.unfinished(seq, {})] if output else []


async def test_an_unfinished_line_is_buffered_until_it_is_stored(system: Any) -> None:
    system.engine.workers["a"] = SPEAKS
    record = await system.submit()
    record = await system.until(record, lambda now: bool(unfinished(system, now.uid, 1)))
    assert unfinished(system, record.uid, 1) == [("stdout", 0, b"two")]
    assert await stored(system, record.uid) == [("one", None)]
    system.engine.end("a", "worker", 0)
    record = await system.ended(record)
    assert await stored(system, record.uid) == [("one", None), ("two", None)]
    await system.until(record, lambda now: system.live_outputs.of(now.uid) is None)


async def test_after_a_restart_of_jobd_lines_come_when_they_end(system: Any) -> None:
    system.engine.workers["a"] = SPEAKS
    record = await system.submit()
    record = await system.until(record, lambda now: now.log.seq == 1)
    await system.restart()
    record = await system.until(record, lambda now: system.live_outputs.of(now.uid) is not None)
    system.engine.end("a", "worker", 0)
    assert unfinished(system, record.uid, 1) == []
    record = await system.ended(record)
    assert await stored(system, record.uid) == [("one", None), ("two", None)]


async def test_a_full_log_ends_the_live_output(system: Any) -> None:
    system.engine.workers["a"] = WorkerScript(lines=["x" * 100_000] * 20, rest="two", runs_s=None)
    record = await system.submit()
    record = await system.until(record, lambda now: now.log.is_full)
    assert system.live_outputs.of(record.uid).ended.is_set()
    assert unfinished(system, record.uid, record.log.seq) == []
    system.engine.end("a", "worker", 0)
    await system.ended(record)


async def test_a_failed_start_leaves_no_live_output(system: Any) -> None:
    system.engine.workers["a"] = WorkerScript(start_error=(127, "no such command"))
    record = await system.ended(await system.submit())
    assert record.exit_code == 127
    await system.until(record, lambda now: system.live_outputs.of(now.uid) is None)
