"""Lines that could not be read: the job's log has a gap mark if its end is unknown, and only then."""

from typing import Any

import msgspec
import pytest

from jobd.jobs.log.container_log_follower import GONE, READ_LIMIT_S, UNREADABLE
from jobd.jobs.log.log_batches import mark_incomplete
from jobd.jobs.port.model import JobRef
from jobd.jobs.state.record_form import decode_record
from jobd.wire.artifact import Read, Write
from jobd.wire.job import JobSpec
from jobd.wire.view import LogLine
from tests.support.fakes.worker import WorkerScript

STAYS = WorkerScript(lines=["one"], runs_s=None)


async def stored(house: Any, uid: str) -> list[tuple[str, str | None]]:
    frames = b"".join(chunk.data for chunk in await house.store.log_chunks(uid, 0, 1 << 20))
    lines = [msgspec.json.decode(frame, type=LogLine) for frame in frames.splitlines()]
    assert [line.seq for line in lines] == list(range(1, len(lines) + 1))
    return [(line.line, line.gap) for line in lines]


async def sent(house: Any, record: Any) -> list[tuple[str, list[str] | None, str | None]]:
    return [
        (event["type"].rpartition(".")[2], event["data"].get("lines"), event["data"].get("gap"))
        for event in await house.events(record)
    ]


@pytest.mark.parametrize("down", [True, False], ids=["while-jobd-is-down", "while-jobd-runs"])
async def test_a_worker_removed_by_hand_leaves_a_gap_mark_in_its_log(house: Any, down: bool) -> None:
    house.engine.workers["a"] = STAYS
    record = await house.submit()
    record = await house.until(record, lambda now: now.log.seq == 1)
    if down:
        await house.stop()
    house.engine.remove_by_hand("a", "worker")
    if down:
        await house.restart()
    record = await house.ended(record, tick_s=0.5)
    assert (record.reason, record.exit_code) == ("lost", None)
    assert await stored(house, record.uid) == [("one", None), ("", GONE)]
    events = await sent(house, record)
    # One event or two: the mark may be stored before the line's event.
    assert [line for kind, lines, _ in events if kind == "log" for line in lines or []] == [
        "one",
        f"[jobd: {GONE}]",
    ]
    assert [kind for kind, _, _ in events[-3:]] == ["log", "exit", "complete"]
    assert events[-3][2] == GONE


async def test_a_worker_removed_before_its_log_was_read_leaves_a_gap_mark(
    house: Any,
) -> None:
    house.engine.workers["a"] = STAYS
    record = await house.submit()
    record = await house.until(record, lambda now: now.log.seq == 1)
    house.engine.unreadable_logs.add("worker")
    house.engine.end("a", "worker", 0)
    record = await house.until(record, lambda now: now.worker_over)
    house.engine.remove_by_hand("a", "worker")
    record = await house.ended(record, tick_s=0.5)
    assert (record.status, record.exit_code) == ("completed", 0)
    assert await stored(house, record.uid) == [("one", None), ("", GONE)]


async def test_a_log_that_was_read_to_its_end_has_no_gap_mark(house: Any) -> None:
    house.engine.workers["a"] = WorkerScript(lines=["one"], rest="two")
    record = await house.ended(await house.submit())
    house.engine.remove_by_hand("a", "worker")
    await house.restart()
    assert await stored(house, record.uid) == [("one", None), ("two", None)]
    assert not (await house.stored(record)).attempt.reading.incomplete


async def test_a_gap_mark_is_stored_once_over_a_crash(house: Any) -> None:
    house.engine.workers["a"] = STAYS
    record = await house.submit()
    record = await house.until(record, lambda now: now.log.seq == 1)
    await house.stop()
    house.engine.remove_by_hand("a", "worker")
    # jobd is killed right after the commit that has the mark.
    row = await house.store.get_by_uid(record.uid)
    batch = mark_incomplete(decode_record(row.record), GONE, house.clock.now())
    await house.repository.change(batch.record, JobSpec(id="a", image="busybox"), (), batch)
    await house.restart()
    record = await house.ended(record, tick_s=0.5)
    assert await stored(house, record.uid) == [("one", None), ("", GONE)]


async def test_a_log_that_the_engine_does_not_return_is_marked_after_a_limit(house: Any) -> None:
    house.engine.unreadable_logs.add("worker")
    house.engine.workers["a"] = WorkerScript(lines=["one"])
    began = house.clock.monotonic()
    record = await house.ended(await house.submit(), tick_s=2)
    assert house.clock.monotonic() - began >= READ_LIMIT_S
    assert (record.status, record.exit_code) == ("completed", 0)
    assert await stored(house, record.uid) == [("", UNREADABLE)]


async def test_a_drain_waits_for_an_unavailable_engine_without_a_limit(house: Any) -> None:
    house.engine.workers["a"] = STAYS
    record = await house.submit()
    record = await house.until(record, lambda now: now.log.seq == 1)
    house.engine.unreadable_logs.add("worker")
    house.engine.end("a", "worker", 0)
    record = await house.until(record, lambda now: now.worker_over)
    house.engine.away = True
    for _ in range(20):
        house.clock.advance(READ_LIMIT_S)
        assert not (await house.stored(record)).ended
    house.engine.unreadable_logs.clear()
    house.engine.away = False
    record = await house.ended(record, tick_s=0.5)
    assert await stored(house, record.uid) == [("one", None)]


async def test_reports_that_the_engine_does_not_return_fail_the_job_after_a_limit(house: Any) -> None:
    house.engine.workers["a"] = STAYS
    record = await house.submit(
        Write(id="in", source="x", out="f"), Read(id="out", source="f", depends="job")
    )
    record = await house.until(record, lambda now: now.status == "running")
    await house.stop()
    house.engine.end("a", "worker", 0)
    await house.engine.notify_worker_ended(JobRef(record.uid, record.id, record.attempt.number), True)
    house.engine.unreadable_logs.add("sidecar")
    await house.restart()
    record = await house.ended(record, tick_s=5)
    assert (record.status, record.reason) == ("failed", "output-failed")


async def test_a_sidecar_that_ended_meanwhile_is_inspected_before_the_next_signal(
    house: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each commit takes longer than the pause before the next signal."""
    signals: list[bool] = []
    notify = house.engine.notify_worker_ended

    async def counted(ref: JobRef, succeeded: bool) -> None:
        signals.append(succeeded)
        await notify(ref, succeeded)

    house.engine.workers["a"] = STAYS
    record = await house.submit(
        Write(id="in", source="x", out="f"), Read(id="out", source="f", depends="job")
    )
    record = await house.until(record, lambda now: now.status == "running")
    await house.stop()
    house.engine.end("a", "worker", 0)
    await notify(JobRef(record.uid, record.id, record.attempt.number), True)
    monkeypatch.setattr(house.engine, "notify_worker_ended", counted)
    await house.restart()
    record = await house.ended(record, tick_s=5)
    assert record.status == "completed"
    assert len(signals) <= 2


async def test_reports_lost_with_their_sidecar_fail_the_job(house: Any) -> None:
    house.engine.workers["a"] = STAYS
    record = await house.submit(
        Write(id="in", source="x", out="f"), Read(id="out", source="f", depends="job")
    )
    record = await house.until(record, lambda now: now.status == "running")
    await house.stop()
    house.engine.end("a", "worker", 0)
    await house.engine.notify_worker_ended(JobRef(record.uid, record.id, record.attempt.number), True)
    house.engine.remove_by_hand("a", "sidecar")
    await house.restart()
    record = await house.ended(record, tick_s=0.5)
    assert (record.status, record.reason) == ("failed", "output-failed")
    assert "removed" in (record.error or "")
