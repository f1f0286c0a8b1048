"""Collects stored log lines that have no event yet, so that many lines become few events.

Owns the bounds. Lines are stored at once, without an event. A few pending lines are buffered here; more are read back from the
store, as after a restart. Stores nothing itself: the caller commits the events that `next_events` returns.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from jobd.jobs.log.log_storage import Batch, log_events
from jobd.jobs.record.record import Record
from jobd.jobs.state.event_drafts import Draft
from jobd.wire.job import JobSpec

FLUSH_AFTER_S = 0.2
"""A pending line gets its event after this time at most."""
FLUSH_AT_BYTES = 64 * 1024
"""Pending lines with this many bytes of frames get their event at once."""
MAX_BUFFERED_BATCHES = 256
"""Batches in memory, however short they are."""


@dataclass(frozen=True, slots=True)
class _Buffered:
    """A batch without its record: many small batches would hold very many records."""

    first_seq: int
    last_seq: int
    frames: bytes


Frames = Callable[[str, int, int], Awaitable[bytes]]


class LogEventBatcher:
    """The pending lines of one job: up to `FLUSH_AT_BYTES` and one batch in memory, the others in the store. `frames` reads stored
    frames: uid, after line, about how many bytes.
    """

    def __init__(self, frames: Frames) -> None:
        self._frames = frames
        self._buffered: list[_Buffered] = []
        self._bytes = 0

    @property
    def is_full(self) -> bool:
        """True if the pending lines should get their event now."""
        return self._bytes >= FLUSH_AT_BYTES

    def add(self, batch: Batch) -> None:
        """Adds stored lines. A full buffer, whose events could not be stored, is dropped instead: the store has the lines."""
        if not batch.frames:
            return
        if self.is_full or len(self._buffered) >= MAX_BUFFERED_BATCHES:
            self._buffered = []
        else:
            self._buffered.append(_Buffered(batch.first_seq, batch.last_seq, batch.frames))
        self._bytes += len(batch.frames)

    async def next_events(self, record: Record, spec: JobSpec) -> tuple[Record, tuple[Draft, ...]]:
        """Returns the record after the next log events, and the events: of all pending lines, or of the first `FLUSH_AT_BYTES`.

        Raises:
            StoreError: stored lines could not be read.
        """
        after = record.log.announced
        if self._buffered and self._buffered[0].first_seq == after + 1:
            frames = b"".join(batch.frames for batch in self._buffered)
        else:
            frames = await self._frames(record.uid, after, FLUSH_AT_BYTES)
        following, drafts = log_events(record, spec, frames)
        if not drafts:  # the store has no such lines: no line is pending
            following = record.change(log=record.log.change(announced=record.log.seq))
        return following, drafts

    def reset(self) -> None:
        """Drops the buffer, since lines may be stored that were not added here; pending lines are read back from the store."""
        self._buffered, self._bytes = [], 0

    def events_stored(self, record: Record) -> None:
        """Drops the lines up to `record.log.announced`: their events are stored."""
        self._buffered = [batch for batch in self._buffered if batch.last_seq > record.log.announced]
        self._bytes = sum(len(batch.frames) for batch in self._buffered)


def has_pending_lines(record: Record) -> bool:
    """True if stored lines have no event yet."""
    return record.log.announced < record.log.seq
