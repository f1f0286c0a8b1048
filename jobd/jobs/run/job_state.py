"""The stored record of one job that is under way: facts and log lines go in one after the other, events come out in order.

Owns the lock under which a record changes, and when lines that wait for an event get one. What a fact changes is decided by
`machine.py`, what is written together by `job_repository.py`. Must not know of the engine.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Iterable

from jobd.clock import wall_clock_and_offset
from jobd.jobs.job_repository import MAX_TRIES
from jobd.jobs.log.log_batches import Batch, append_lines, mark_incomplete
from jobd.jobs.log.log_event_batcher import FLUSH_AFTER_S, LogEventBatcher, has_pending_lines
from jobd.jobs.port.model import JobRef, LogBatch, LogCursor, RawLine
from jobd.jobs.run.dependencies import Dependencies
from jobd.jobs.state import event_drafts, facts
from jobd.jobs.state.machine import step
from jobd.jobs.state.outcome import purged
from jobd.jobs.state.record import Record
from jobd.jobs.state.step import Step
from jobd.store.errors import NoSuchJob, StaleJob, StoreError
from jobd.wire.job import JobSpec
from jobd.wire.report import Heading, Report

CLOCK_TOLERANCE_S = 1.0

log = logging.getLogger(__name__)


class JobState:
    """One job's record. `record` is as stored; `changed` is called after each fact that changed the record.

    The spec is in memory only while the job is under way: thousands may wait for a place, each with a spec of up to 1 MiB.
    """

    def __init__(self, record: Record, deps: Dependencies, changed: Callable[[], None]) -> None:
        self.record = record
        self._spec: JobSpec | None = None
        self.order_given = False
        """This process has handed the present sidecar its whole order. A sidecar that a killed jobd has started may lack its order."""
        self._deps = deps
        self._changed = changed
        self._changing = asyncio.Lock()
        self._log_event_batcher = LogEventBatcher(deps.repository.log_frames)
        self._announcing: asyncio.Task[None] | None = None
        self._reading = False
        """True while what is read of the log follows from the cursor in `record`."""

    @property
    def spec(self) -> JobSpec:
        """The job as it was submitted, without the values of its secrets; there from `hold_spec` on."""
        assert self._spec is not None
        return self._spec

    async def hold_spec(self) -> None:
        """Has the spec in memory until the job waits again or is over. Raises StoreError."""
        if self._spec is None:
            self._spec = await self._read_spec()

    async def _read_spec(self) -> JobSpec:
        return self._spec or await self._deps.repository.spec(self.record.uid)

    @property
    def ref(self) -> JobRef:
        """The job's present attempt."""
        return JobRef(self.record.uid, self.record.id, self.record.attempt.number)

    async def apply(self, fact: facts.Fact) -> None:
        """Stores what `fact` makes of the record. Safe from any task: changes come one after the other.

        Raises:
            StoreError: nothing changed. NoSuchJob: the job is purged, `record` says that nothing is left to do.
        """
        async with self._changing:
            for _ in range(MAX_TRIES):
                with contextlib.suppress(StaleJob):
                    async with self._kept_true():
                        changed = await self._apply(fact)
                    break
            else:
                raise StaleJob(f"job {self.record.id!r} is changed faster than a change of it can be decided")
        if changed:
            self._changed()

    async def _apply(self, fact: facts.Fact) -> bool:
        before, spec = self.record, await self._read_spec()
        made = self._step(before, spec, fact)
        if made.record == before and not made.drafts:
            return False
        drafts = made.drafts
        if drafts and has_pending_lines(before):
            # Events keep the order of the facts: what was logged before comes before.
            before, logged = await self._announce(leave_last=True)
            made = self._step(before, spec, fact)
            drafts = (*logged, *made.drafts)
        self.record = await self._deps.repository.change(made.record, spec, drafts)
        self._log_event_batcher.events_stored(self.record)
        self._deps.on_change(before, self.record, spec)
        if self.record.phase in ("queued", "done"):
            self._spec = None
        return True

    def _step(self, record: Record, spec: JobSpec, fact: facts.Fact) -> Step:
        """Returns what `fact` makes of the record. The times in the record follow a clock that was set meanwhile first: else
        those that this fact writes would be moved with them later.
        """
        now, offset = wall_clock_and_offset(self._deps.clock)
        if self.clock_moved(record, offset):
            record = step(record, spec, facts.ClockMoved(self._deps.clock.boot, offset), now).record
        return step(record, spec, fact, now)

    def clock_moved(self, record: Record, offset: float) -> bool:
        """True where the wall clock was set, or the machine was booted, since the times of a job under way were written."""
        mark = record.clock
        moved = mark.boot != self._deps.clock.boot or abs(offset - mark.offset) > CLOCK_TOLERANCE_S
        return moved and not record.ended

    @contextlib.asynccontextmanager
    async def _kept_true(self) -> AsyncIterator[None]:
        """Takes over the stored record where a change is refused: another part of jobd has changed it, or a commit whose failure
        was reported is on the disk all the same. Passes the error on.
        """
        try:
            yield
        except StaleJob:
            stored = await self._deps.repository.stored(self.record.uid)
            self.record = stored or purged(self.record)
            self._log_event_batcher.reset()
            self._reading = False
            raise
        except NoSuchJob:
            self.record = purged(self.record)
            self._changed()
            raise

    async def take_report(self, said: Report) -> None:
        """Stores what the sidecar said. Raises StoreError: nothing changed."""
        await self.apply(facts.Reported(said, self.order_given, all_read=True))

    async def take_unread(self, why: str, heading: Heading) -> None:
        """Stores that a report could not be read. Raises StoreError: nothing changed."""
        await self.apply(facts.ReportUnread(why, heading))

    def log_cursor(self) -> LogCursor:
        """Returns where reading of the worker's log goes on; the lines that `take_log` gets next follow from there."""
        self._reading = True
        return self.record.attempt.reading.cursor

    async def take_log(self, read: LogBatch) -> None:
        """Stores lines of the worker's log; their event follows in a moment.

        Raises:
            StoreError: nothing is known to be stored; the caller reads again from `log_cursor`.
        """

        def made() -> Batch:
            if not self._reading:
                raise StaleJob("the stored log may hold these lines already; reading goes on from its cursor")
            return append_lines(self.record, read, self._deps.log_max_bytes)

        await self._store_frames(made, read.lines)

    async def mark_log(self, why: str) -> None:
        """Stores, once an attempt, that the end of the worker's log could not be read. Raises StoreError: as `take_log`."""
        await self._store_frames(lambda: mark_incomplete(self.record, why, self._deps.clock.now()))

    async def _store_frames(self, made: Callable[[], Batch], lines: Iterable[RawLine] | None = None) -> None:
        async with self._changing:
            batch, before, spec = made(), self.record, await self._read_spec()
            async with self._kept_true():
                self.record = await self._deps.repository.change(batch.record, spec, (), batch)
            self._deps.on_change(before, self.record, spec)
            if (output := self._deps.live_outputs.of(self.record.uid)) is not None:
                if self.record.log.is_full:
                    output.close()  # no line will hold what it shows
                elif lines is None:
                    output.lose()
                else:
                    output.stored(lines, batch.first_seq, batch.last_seq)
            self._log_event_batcher.add(batch)
            if self._log_event_batcher.is_full:
                await self._announce_all()
        self.announce_soon()

    def announce_soon(self) -> None:
        """Has stored lines without an event get one, after a moment in which more may come."""
        if has_pending_lines(self.record) and (self._announcing is None or self._announcing.done()):
            self._announcing = asyncio.create_task(self._announce_later(), name="announce")

    def stop_announcing(self) -> None:
        """Lines that still wait get their event after the next start."""
        if self._announcing is not None:
            self._announcing.cancel()

    async def _announce_later(self) -> None:
        while has_pending_lines(self.record):
            await self._deps.clock.sleep(FLUSH_AFTER_S)
            try:
                async with self._changing:
                    await self._announce_all()
            except StoreError as error:
                fields = {"job_id": self.record.id, "action": "announce", "error": str(error)}
                log.warning("log lines wait for their event", extra=fields)

    async def _announce_all(self) -> None:
        with contextlib.suppress(StaleJob):  # what is left waits for the next time
            async with self._kept_true():
                await self._announce()

    async def _announce(self, leave_last: bool = False) -> tuple[Record, tuple[event_drafts.Draft, ...]]:
        """Stores the events of all lines that have none; the caller holds the lock. With `leave_last` the last of them are not
        stored but returned, with the record that has them, to go into the caller's commit. Raises StoreError.
        """
        while has_pending_lines(self.record):
            spec = await self._read_spec()
            record, drafts = await self._log_event_batcher.next_events(self.record, spec)
            if leave_last and not has_pending_lines(record):
                return record, drafts
            self.record = await self._deps.repository.change(record, spec, drafts)
            self._log_event_batcher.events_stored(self.record)
        return self.record, ()
