"""Pending lines: bounded in memory, read back from the store, each in one event and in order."""

import asyncio
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobd.jobs.log.log_event_batcher import (
    FLUSH_AT_BYTES,
    MAX_BUFFERED_BATCHES,
    LogEventBatcher,
    has_pending_lines,
)
from jobd.jobs.log.log_storage import Batch, append_lines
from jobd.jobs.port.model import LOG_START, LogBatch, RawLine
from jobd.jobs.record.record import Record
from jobd.wire.job import JobSpec

SPEC = JobSpec(id="a", image="b")


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as made:
        yield made


class Stored:
    """The chunks of one job's log, as the store returns them."""

    def __init__(self, record: Record) -> None:
        self.record = record
        self.batches: list[Batch] = []
        self.reads = 0

    def take(self, texts: list[str]) -> Batch:
        lines = [RawLine("stdout", "t1", text) for text in texts]
        batch = append_lines(self.record, LogBatch(lines, LOG_START), 1 << 40)
        self.record = batch.record
        self.batches.append(batch)
        return batch

    async def frames(self, uid: str, after: int, max_bytes: int) -> bytes:
        self.reads += 1
        found: list[bytes] = []
        for batch in self.batches:
            if batch.last_seq > after and sum(map(len, found)) < max_bytes:
                found.append(batch.frames)
        return b"".join(found)


def kept_bytes(log_event_batcher: LogEventBatcher) -> int:
    return sum(len(batch.frames) for batch in log_event_batcher._buffered)


def test_lines_whose_event_cannot_be_stored_are_bounded(job: Callable[..., Any]) -> None:
    stored = Stored(job().record)
    log_event_batcher = LogEventBatcher(stored.frames)
    for _ in range(20):
        log_event_batcher.add(stored.take(["x" * 30_000]))
        assert kept_bytes(log_event_batcher) < FLUSH_AT_BYTES + 31_000
        assert log_event_batcher.is_full == (stored.record.log.size_bytes >= FLUSH_AT_BYTES)


def test_short_batches_are_bounded_in_number(job: Callable[..., Any]) -> None:
    stored = Stored(job().record)
    log_event_batcher = LogEventBatcher(stored.frames)
    for _ in range(10 * MAX_BUFFERED_BATCHES):
        log_event_batcher.add(stored.take([""]))
        assert len(log_event_batcher._buffered) <= MAX_BUFFERED_BATCHES


@given(
    steps=st.lists(
        st.one_of(st.lists(st.integers(0, 40_000), min_size=1, max_size=3), st.booleans()), max_size=40
    )
)
@settings(deadline=None)
def test_each_line_gets_one_event_in_order_whatever_fails(
    runner: asyncio.Runner, job: Callable[..., Any], steps: list[list[int] | bool]
) -> None:
    """A list of lengths is a batch of lines; True is an event that is stored, False an event that the store refuses."""
    stored = Stored(job().record)
    log_event_batcher = LogEventBatcher(stored.frames)
    printed: list[str] = []
    sent: list[str] = []

    async def announce(succeeds: bool) -> None:
        while has_pending_lines(stored.record):
            record, drafts = await log_event_batcher.next_events(stored.record, SPEC)
            if not succeeds:
                return
            stored.record = record
            log_event_batcher.events_stored(record)
            sent.extend(text for draft in drafts for text in cast(list[str], draft.data["lines"]))

    for step in [*steps, True]:
        if isinstance(step, list):
            texts = [f"{len(printed) + n} " + "x" * length for n, length in enumerate(step)]
            printed += texts
            log_event_batcher.add(stored.take(texts))
        else:
            runner.run(announce(step))
        assert kept_bytes(log_event_batcher) < FLUSH_AT_BYTES + 3 * 41_000
    assert sent == printed
    assert not log_event_batcher.is_full


def test_pending_lines_are_bounded_in_bytes(job: Callable[..., Any]) -> None:
    """The batches' records are dropped too: many small batches have many records."""
    record = job().record
    log_event_batcher = LogEventBatcher(Stored(record).frames)
    tracemalloc.start()
    try:
        while not log_event_batcher.is_full:
            batch = append_lines(record, LogBatch([RawLine("stdout", "t1", "x" * 200)], LOG_START), 1 << 20)
            log_event_batcher.add(batch)
            record = batch.record
            del batch
            assert tracemalloc.get_traced_memory()[0] < 4 * FLUSH_AT_BYTES
    finally:
        tracemalloc.stop()


async def test_lines_with_a_stored_event_are_dropped(job: Callable[..., Any]) -> None:
    stored = Stored(job().record)
    log_event_batcher = LogEventBatcher(stored.frames)
    for _ in range(3):
        log_event_batcher.add(stored.take(["x" * 30_000]))
    assert log_event_batcher.is_full
    record, drafts = await log_event_batcher.next_events(stored.record, SPEC)
    assert len(drafts) == 1
    log_event_batcher.events_stored(record)
    assert not log_event_batcher._buffered
    assert not log_event_batcher.is_full
