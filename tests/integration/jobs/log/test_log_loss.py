"""Lines that could not be read: the job's log has a gap mark if its end is unknown, and only then."""

from typing import Any

import msgspec
import pytest

from jobd.jobs.log.container_log_follower import GONE, READ_LIMIT_S, UNREADABLE
from jobd.jobs.log.log_storage import mark_incomplete
from jobd.jobs.port.model import JobRef
from jobd.jobs.record.record_form import decode_record
from jobd.wire.artifact import Read, Write
from jobd.wire.job import JobSpec
from jobd.wire.views.log import LogLine
from tests.support.fakes.worker import WorkerScript

STAYS = WorkerScript(lines=["one"], runs_s=None)
UNFINISHED = WorkerScript(lines=["one"], rest="two", runs_s=None)


async def stored(system: Any, uid: str) -> list[tuple[str, str | None]]:
    frames = b"".join(chunk.data for chunk in await system.store.log_chunks(uid, 0, 1 << 20))
    lines = [msgspec.json.decode(frame, type=LogLine) for frame in frames.splitlines()]
    assert [line.seq for line in lines] == list(range(1, len(lines) + 1))
    return [(line.line, line.gap) for line in lines]


async def sent(system: Any, record: Any) -> list[tuple[str, list[str] | None, str | None]]:
    return [
        (event["type"].rpartition(".")[2], event["data"].get("lines"), event["data"].get("gap"))
        for event in await system.events(record)
    ]


@pytest.mark.parametrize("down", [True, False], ids=["while-jobd-is-down", "while-jobd-runs"])
async def test_a_worker_removed_by_hand_leaves_a_gap_mark_in_its_log(system: Any, down: bool) -> None:
    system.engine.workers["a"] = STAYS
    record = await system.submit()
    record = await system.until(record, lambda now: now.log.seq == 1)
    if down:
        await system.stop()
    system.engine.remove_by_hand("a", "worker")
    if down:
        await system.restart()
    record = await system.ended(record, tick_s=0.5)
    assert (record.reason, record.exit_code) == ("lost", None)
    assert await stored(system, record.uid) == [("one", None), ("", GONE)]
    events = await sent(system, record)
    # One event or two: the mark may be stored before the line's event.
    assert [line for kind, lines, _ in events if kind == "log" for line in lines or []] == [
        "one",
        f"[jobd: {GONE}]",
    ]
    assert [kind for kind, _, _ in events[-3:]] == ["log", "exit", "complete"]
    assert events[-3][2] == GONE


async def test_a_worker_removed_before_its_log_was_read_leaves_a_gap_mark(
    system: Any,
) -> None:
    system.engine.workers["a"] = UNFINISHED
    record = await system.submit()
    record = await system.until(record, lambda now: now.log.seq == 1)
    system.engine.unreadable_logs.add("worker")
    system.engine.end("a", "worker", 0)
    record = await system.until(record, lambda now: now.worker_over)
    system.engine.remove_by_hand("a", "worker")
    record = await system.ended(record, tick_s=0.5)
    assert (record.status, record.exit_code) == ("completed", 0)
    assert await stored(system, record.uid) == [("one", None), ("", GONE)]


async def test_a_log_that_was_read_to_its_end_has_no_gap_mark(system: Any) -> None:
    system.engine.workers["a"] = WorkerScript(lines=["one"], rest="two")
    record = await system.ended(await system.submit())
    system.engine.remove_by_hand("a", "worker")
    await system.restart()
    assert await stored(system, record.uid) == [("one", None), ("two", None)]
    assert not (await system.stored(record)).attempt.reading.incomplete


async def test_a_gap_mark_is_stored_once_over_a_crash(system: Any) -> None:
    system.engine.workers["a"] = STAYS
    record = await system.submit()
    record = await system.until(record, lambda now: now.log.seq == 1)
    await system.stop()
    system.engine.remove_by_hand("a", "worker")
    # jobd is killed right after the commit that has the mark.
    row = await system.store.get_by_uid(record.uid)
    batch = mark_incomplete(decode_record(row.record), GONE, system.clock.now())
    await system.repository.change(batch.record, JobSpec(id="a", image="busybox"), (), batch)
    await system.restart()
    record = await system.ended(record, tick_s=0.5)
    assert await stored(system, record.uid) == [("one", None), ("", GONE)]


async def test_a_log_that_the_engine_does_not_return_is_marked_after_a_limit(system: Any) -> None:
    system.engine.unreadable_logs.add("worker")
    system.engine.workers["a"] = WorkerScript(lines=["one"])
    began = system.clock.monotonic()
    record = await system.ended(await system.submit(), tick_s=2)
    assert system.clock.monotonic() - began >= READ_LIMIT_S
    assert (record.status, record.exit_code) == ("completed", 0)
    assert await stored(system, record.uid) == [("", UNREADABLE)]


async def test_a_drain_waits_for_an_unavailable_engine_without_a_limit(system: Any) -> None:
    system.engine.workers["a"] = UNFINISHED
    record = await system.submit()
    record = await system.until(record, lambda now: now.log.seq == 1)
    system.engine.unreadable_logs.add("worker")
    system.engine.end("a", "worker", 0)
    record = await system.until(record, lambda now: now.worker_over)
    system.engine.away = True
    for _ in range(20):
        system.clock.advance(READ_LIMIT_S)
        assert not (await system.stored(record)).ended
    system.engine.unreadable_logs.clear()
    system.engine.away = False
    record = await system.ended(record, tick_s=0.5)
    assert await stored(system, record.uid) == [("one", None), ("two", None)]


async def test_reports_that_the_engine_does_not_return_fail_the_job_after_a_limit(system: Any) -> None:
    system.engine.workers["a"] = STAYS
    record = await system.submit(
        Write(id="in", source="x", out="f"), Read(id="out", source="f", depends="job")
    )
    record = await system.until(record, lambda now: now.status == "running")
    await system.stop()
    system.engine.end("a", "worker", 0)
    await system.engine.notify_worker_ended(JobRef(record.uid, record.id, record.attempt.number), True)
    system.engine.unreadable_logs.add("sidecar")
    await system.restart()
    record = await system.ended(record, tick_s=5)
    assert (record.status, record.reason) == ("failed", "output-failed")


async def test_a_sidecar_that_ended_meanwhile_is_inspected_before_the_next_signal(
    system: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each commit takes longer than the pause before the next signal."""
    signals: list[bool] = []
    notify = system.engine.notify_worker_ended

    async def counted(ref: JobRef, succeeded: bool) -> None:
        signals.append(succeeded)
        await notify(ref, succeeded)

    system.engine.workers["a"] = STAYS
    record = await system.submit(
        Write(id="in", source="x", out="f"), Read(id="out", source="f", depends="job")
    )
    record = await system.until(record, lambda now: now.status == "running")
    await system.stop()
    system.engine.end("a", "worker", 0)
    await notify(JobRef(record.uid, record.id, record.attempt.number), True)
    monkeypatch.setattr(system.engine, "notify_worker_ended", counted)
    await system.restart()
    record = await system.ended(record, tick_s=5)
    assert record.status == "completed"
    assert len(signals) <= 2


async def test_reports_lost_with_their_sidecar_fail_the_job(system: Any) -> None:
    system.engine.workers["a"] = STAYS
    record = await system.submit(
        Write(id="in", source="x", out="f"), Read(id="out", source="f", depends="job")
    )
    record = await system.until(record, lambda now: now.status == "running")
    await system.stop()
    system.engine.end("a", "worker", 0)
    await system.engine.notify_worker_ended(JobRef(record.uid, record.id, record.attempt.number), True)
    system.engine.remove_by_hand("a", "sidecar")
    await system.restart()
    record = await system.ended(record, tick_s=0.5)
    assert (record.status, record.reason) == ("failed", "output-failed")
    assert "removed" in (record.error or "")
