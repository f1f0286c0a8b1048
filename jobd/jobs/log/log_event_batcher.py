"""Which lines of a job's log wait for an event, and when they get one: a flood of lines becomes few events.

Owns the bounds. Lines are stored at once and without an event; what waits is remembered here while it is little, else read
back from the store, so that a restart goes on in the same way. Stores nothing itself: the supervisor commits what `next_events`
gives.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from jobd.jobs.log.log_batches import Batch, announce
from jobd.jobs.state.event_drafts import Draft
from jobd.jobs.state.record import Record
from jobd.wire.job import JobSpec

ANNOUNCE_AFTER_S = 0.2
"""Lines wait so long for company, at most."""
ANNOUNCE_BYTES = 64 * 1024
"""So many bytes of frames wait for no more."""
MAX_RECENT = 256
"""Batches that are kept in memory, however short."""


@dataclass(frozen=True, slots=True)
class _Stored:
    """What is remembered of a batch: not its record, of which a flood in small batches makes very many."""

    first_seq: int
    last_seq: int
    frames: bytes


Frames = Callable[[str, int, int], Awaitable[bytes]]


class LogEventBatcher:
    """The lines of one job that have no event yet: in memory as many as `ANNOUNCE_BYTES` and one batch hold, the others in the store.
    `frames` reads stored ones: uid, after line, about how many bytes.
    """

    def __init__(self, frames: Frames) -> None:
        self._frames = frames
        self._recent: list[_Stored] = []
        self._bytes = 0

    @property
    def enough(self) -> bool:
        """True where so much waits that it should go now."""
        return self._bytes >= ANNOUNCE_BYTES

    def add(self, batch: Batch) -> None:
        """These lines are stored. Where more waits than is kept in memory, because its events cannot be stored, the lines are left to
        the store alone.
        """
        if not batch.frames:
            return
        if self.enough or len(self._recent) >= MAX_RECENT:
            self._recent = []
        else:
            self._recent.append(_Stored(batch.first_seq, batch.last_seq, batch.frames))
        self._bytes += len(batch.frames)

    async def next_events(self, record: Record, spec: JobSpec) -> tuple[Record, tuple[Draft, ...]]:
        """Returns the next log events and the record that has them: all that wait, or the first part where that is much.

        Raises:
            StoreError: stored lines could not be read.
        """
        after = record.log.announced
        if self._recent and self._recent[0].first_seq == after + 1:
            frames = b"".join(batch.frames for batch in self._recent)
        else:
            frames = await self._frames(record.uid, after, ANNOUNCE_BYTES)
        following, drafts = announce(record, spec, frames)
        if not drafts:  # the store has no such lines: nothing is left to announce
            following = record.change(log=record.log.change(announced=record.log.seq))
        return following, drafts

    def forget(self) -> None:
        """Lines may be stored that were not added here: what waits is read back from the store."""
        self._recent, self._bytes = [], 0

    def announced(self, record: Record) -> None:
        """The events of all lines up to `record.log.announced` are stored."""
        self._recent = [batch for batch in self._recent if batch.last_seq > record.log.announced]
        self._bytes = sum(len(batch.frames) for batch in self._recent)


def waits(record: Record) -> bool:
    """True where stored lines have no event yet."""
    return record.log.announced < record.log.seq
