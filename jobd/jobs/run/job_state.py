"""The stored record of one job under way: applies facts and log lines one after the other, stores events in order.

Owns the lock under which a record changes, and when pending lines get their event. `machine.py` decides what a fact changes,
`job_repository.py` what one commit contains. Must not know of the engine.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from functools import cached_property

from jobd.clock import wall_clock_and_offset
from jobd.jobs.job_repository import MAX_TRIES
from jobd.jobs.log.log_event_batcher import FLUSH_AFTER_S, LogEventBatcher, has_pending_lines
from jobd.jobs.log.log_storage import Batch, append_lines, mark_incomplete
from jobd.jobs.port.model import JobRef, LogBatch, LogCursor, RawLine
from jobd.jobs.record.record import Record
from jobd.jobs.record.states import DrainingLog
from jobd.jobs.run.dependencies import Dependencies
from jobd.jobs.run.held_reports import HeldReports
from jobd.jobs.state import event_drafts, facts
from jobd.jobs.state.handover import outputs_only
from jobd.jobs.state.machine import step
from jobd.jobs.state.step import Step
from jobd.jobs.state.transitions.outcome import purged
from jobd.store.errors import NoSuchJob, StaleJob, StoreError
from jobd.wire.job import JobSpec
from jobd.wire.report import Report

CLOCK_TOLERANCE_S = 1.0

log = logging.getLogger(__name__)


class JobState:
    """One job's record. `record` is as stored; `changed` is called after each fact or reload that changed the record.

    The spec is in memory only while the job is under way: thousands may wait for a place, each with a spec of up to 1 MiB.
    """

    def __init__(self, record: Record, deps: Dependencies, changed: Callable[[], None]) -> None:
        self.record = record
        self._spec: JobSpec | None = None
        self.order_given = False
        """This process has sent the present sidecar its whole order. A sidecar started by a killed jobd may lack its order."""
        self._deps = deps
        self._changed = changed
        self._announcing: asyncio.Task[None] | None = None
        self._reading = False
        """True while the lines that are read continue from the cursor in `record`."""

    # These are made when they are first used: a job that waits has none of them.
    @cached_property
    def _changing(self) -> asyncio.Lock:
        return asyncio.Lock()

    @cached_property
    def _held(self) -> HeldReports:
        return HeldReports()

    @cached_property
    def _log_event_batcher(self) -> LogEventBatcher:
        return LogEventBatcher(self._deps.repository.log_frames)

    @property
    def spec(self) -> JobSpec:
        """The submitted spec, without the values of its secrets; available from `hold_spec` on."""
        assert self._spec is not None
        return self._spec

    async def hold_spec(self) -> None:
        """Keeps the spec in memory until the job waits again or has ended. Raises StoreError."""
        if self._spec is None:
            self._spec = await self._read_spec()

    async def _read_spec(self) -> JobSpec:
        if self._spec is not None:
            return self._spec
        spec = await self._deps.repository.spec(self.record.uid)
        return spec if self.record.takes is None else outputs_only(spec)

    @property
    def ref(self) -> JobRef:
        """The job's present attempt."""
        return JobRef(self.record.uid, self.record.id, self.record.attempt.number)

    async def apply(self, *given: facts.Fact) -> bool:
        """Applies the facts to the record, in order, and stores the result in one commit; returns whether they changed anything.
        Safe from any task: changes are serialized.

        Raises:
            StoreError: nothing changed. NoSuchJob: the job is purged; `record` then asks for no action.
        """
        async with self._changing:
            for _ in range(MAX_TRIES):
                with contextlib.suppress(StaleJob):
                    async with self._reload_if_stale():
                        changed = await self._apply(given)
                    break
            else:
                raise StaleJob(f"job {self.record.id!r} changes too often; nothing was stored")
        if changed:
            self._changed()
        return changed

    async def _apply(self, given: tuple[facts.Fact, ...]) -> bool:
        before, spec = self.record, await self._read_spec()
        drained = facts.LogsDrained() in given
        if drained:
            given = (*given, *self._held.facts)
        change = self._steps(before, spec, given)
        if change.record == before and not change.drafts:
            return False
        drafts = change.drafts
        if drafts and has_pending_lines(before):
            # Events keep the order of the facts: earlier log lines come first.
            before, logged = await self._announce(leave_last=True)
            change = self._steps(before, spec, given)
            drafts = (*logged, *change.drafts)
        self.record = await self._deps.repository.change(change.record, spec, drafts)
        self._log_event_batcher.events_stored(self.record)
        self._deps.on_change(before, self.record, spec)
        if drained:
            self._held.clear()
        self._spec = None if self.record.phase in ("queued", "done") else spec
        return True

    def _steps(self, record: Record, spec: JobSpec, given: tuple[facts.Fact, ...]) -> Step:
        change = Step(record)
        for fact in given:
            change = change.then(self._step(change.record, spec, fact))
        return change

    def _step(self, record: Record, spec: JobSpec, fact: facts.Fact) -> Step:
        """Returns the step of `fact`. If the clock was set, the record's times are moved first: otherwise the times that this fact
        writes would be moved later too.
        """
        now, offset = wall_clock_and_offset(self._deps.clock)
        if self.clock_moved(record, offset):
            record = step(record, spec, facts.ClockMoved(self._deps.clock.boot, offset), now).record
        return step(record, spec, fact, now)

    def clock_moved(self, record: Record, offset: float) -> bool:
        """True if the wall clock was set, or the machine was booted, since the times of a job under way were written."""
        mark = record.clock
        moved = mark.boot != self._deps.clock.boot or abs(offset - mark.offset) > CLOCK_TOLERANCE_S
        return moved and not record.ended

    @contextlib.asynccontextmanager
    async def _reload_if_stale(self) -> AsyncIterator[None]:
        """Loads the stored record after a refused change: another part of jobd has changed the record, or a commit that was reported
        as failed is durable. Raises the error again.
        """
        try:
            yield
        except StaleJob:
            before, stored = self.record, await self._deps.repository.stored(self.record.uid)
            self.record = stored or purged(before)
            self._log_event_batcher.reset()
            self._reading = False
            self._changed()
            if stored is not None:
                self._deps.on_change(before, stored, await self._read_spec())
            raise
        except NoSuchJob:
            self.record = purged(self.record)
            self._changed()
            raise

    async def take_reports(self, reports: Sequence[Report | facts.ReportUnread], size_bytes: int) -> None:
        """Stores reports of the sidecar, of `size_bytes` together, in one commit; while the worker's log is drained, holds them for the
        commit of the exit event. Raises StoreError: nothing changed.
        """
        given = [
            report
            if isinstance(report, facts.ReportUnread)
            else facts.Reported(report, self.order_given, all_read=True)
            for report in reports
        ]
        async with self._changing:
            if isinstance(self.record.state, DrainingLog):
                self._held.add(given, size_bytes)
                return
        await self.apply(*given)

    def log_cursor(self) -> LogCursor:
        """Returns the cursor at which reading the worker's log continues; the next `take_log` gets the lines after this cursor."""
        self._reading = True
        return self.record.attempt.reading.cursor

    async def take_log(self, read: LogBatch) -> None:
        """Stores lines of the worker's log; their event follows after a delay.

        Raises:
            StoreError: the lines may not be stored; the caller reads again from `log_cursor`.
        """

        def make_batch() -> Batch:
            if not self._reading:
                raise StaleJob("the stored log may have these lines; reading continues from its cursor")
            return append_lines(self.record, read, self._deps.log_max_bytes)

        await self._store_frames(make_batch, read.lines)

    async def mark_log(self, why: str) -> None:
        """Stores, once an attempt, that the end of the worker's log could not be read. Raises StoreError: as `take_log`."""
        await self._store_frames(lambda: mark_incomplete(self.record, why, self._deps.clock.now()))

    async def _store_frames(
        self, make_batch: Callable[[], Batch], lines: Iterable[RawLine] | None = None
    ) -> None:
        async with self._changing:
            batch, before, spec = make_batch(), self.record, await self._read_spec()
            async with self._reload_if_stale():
                self.record = await self._deps.repository.change(batch.record, spec, (), batch)
            self._deps.on_change(before, self.record, spec)
            if (output := self._deps.live_outputs.of(self.record.uid)) is not None:
                if self.record.log.is_full:
                    output.close()  # no stored line will hold these bytes
                elif lines is None:
                    output.lose()
                else:
                    output.stored(lines, batch.first_seq, batch.last_seq)
            self._log_event_batcher.add(batch)
            if self._log_event_batcher.is_full:
                await self._announce_all()
        self.announce_soon()

    def announce_soon(self) -> None:
        """Schedules the event of the pending lines, after a delay in which further lines may come."""
        if has_pending_lines(self.record) and (self._announcing is None or self._announcing.done()):
            self._announcing = asyncio.create_task(self._announce_later(), name="announce")

    def stop_announcing(self) -> None:
        """Cancels the schedule; pending lines get their event after the next start of jobd."""
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
                log.warning("the event of log lines is postponed", extra=fields)

    async def _announce_all(self) -> None:
        with contextlib.suppress(StaleJob):  # the next call stores the rest
            async with self._reload_if_stale():
                await self._announce()

    async def _announce(self, leave_last: bool = False) -> tuple[Record, tuple[event_drafts.Draft, ...]]:
        """Stores the events of all pending lines; the caller holds the lock. With `leave_last` the last events are not stored but
        returned, with their record, for the caller's commit. Raises StoreError.
        """
        while has_pending_lines(self.record):
            spec = await self._read_spec()
            record, drafts = await self._log_event_batcher.next_events(self.record, spec)
            if leave_last and not has_pending_lines(record):
                return record, drafts
            self.record = await self._deps.repository.change(record, spec, drafts)
            self._log_event_batcher.events_stored(self.record)
        return self.record, ()
