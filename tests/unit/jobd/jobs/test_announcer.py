"""What an announcer remembers of lines without an event: little, however many batches they came in."""

import tracemalloc
from datetime import UTC, datetime

import pytest

from jobd.jobs.announcer import ANNOUNCE_BYTES, Announcer
from jobd.jobs.logbook import take
from jobd.jobs.orchestrator import LogCursor, RawLine
from jobd.jobs.record import Record, new_record
from jobd.wire.job import JobSpec

SPEC = JobSpec(id="a", image="b")
NOW = datetime(2030, 1, 1, tzinfo=UTC)


async def no_frames(uid: str, after: int, size: int) -> bytes:
    raise AssertionError("nothing is read back")


@pytest.fixture
def record() -> Record:
    return new_record(SPEC, now=NOW, owner=None, digest="", has_spool=False)


def test_lines_that_wait_for_an_event_are_bounded_in_bytes(record: Record) -> None:
    announcer = Announcer(no_frames)
    tracemalloc.start()
    try:
        while not announcer.enough:
            line = RawLine("stdout", "2030-01-01T00:00:00.000000000Z", "", LogCursor("t", 1, 1))
            batch = take(record, [line], 1 << 20)
            announcer.add(batch)
            record = batch.record
            del batch
        assert len(announcer._recent) > 500
        assert tracemalloc.get_traced_memory()[0] < 4 * ANNOUNCE_BYTES
    finally:
        tracemalloc.stop()


async def test_lines_that_have_their_event_are_forgotten(record: Record) -> None:
    announcer = Announcer(no_frames)
    for _ in range(3):
        batch = take(record, [RawLine("stdout", "t", "x" * 30_000, LogCursor("t"))], 1 << 20)
        announcer.add(batch)
        record = batch.record
    assert announcer.enough
    record, drafts = await announcer.next_events(record, SPEC)
    assert len(drafts) == 1
    announcer.announced(record)
    assert not announcer._recent
    assert not announcer.enough
