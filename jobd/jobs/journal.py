"""The stored record of one job that is under way: facts and log lines go in one after the other, events come out in order.

Owns the lock under which a record changes, and when lines that wait for an event get one. What a fact changes is decided by
`machine.py`, what is written together by `ledger.py`. Must not know of the engine.
"""

import asyncio
import logging
from collections.abc import Callable

from jobd.jobs import facts as f
from jobd.jobs.announcer import ANNOUNCE_AFTER_S, Announcer, waits
from jobd.jobs.logbook import Batch, mark_incomplete
from jobd.jobs.logbook import take as take_lines
from jobd.jobs.machine import step
from jobd.jobs.orchestrator import JobRef, RawLine
from jobd.jobs.record import Record
from jobd.jobs.surroundings import Surroundings
from jobd.store.errors import StoreError
from jobd.wire.job import JobSpec
from jobd.wire.report import Report

log = logging.getLogger(__name__)


class Journal:
    """One job's record. `record` is the stored truth; `changed` is called after each fact that changed it."""

    def __init__(
        self, record: Record, spec: JobSpec, around: Surroundings, changed: Callable[[], None]
    ) -> None:
        self.record = record
        self.spec = spec
        self.order_given = False
        """The present sidecar has its whole order, as far as this process knows: one that a killed jobd has started may not."""
        self._around = around
        self._changed = changed
        self._changing = asyncio.Lock()
        self._announcer = Announcer(around.ledger.log_frames)
        self._announcing: asyncio.Task[None] | None = None

    @property
    def ref(self) -> JobRef:
        """The job's present attempt."""
        return JobRef(self.record.uid, self.record.id, self.record.attempt)

    async def apply(self, fact: f.Fact) -> None:
        """Stores what `fact` makes of the record. Safe from any task: changes come one after the other.

        Raises:
            StoreError: nothing changed.
        """
        async with self._changing:
            before = self.record
            made = step(before, self.spec, fact, self._around.clock.now())
            if made.record == before and not made.drafts:
                return
            drafts = made.drafts
            if drafts and waits(before):
                # Events keep the order of the facts: what was logged before comes before.
                before, logged = await self._announce(leave_last=True)
                made = step(before, self.spec, fact, self._around.clock.now())
                drafts = (*logged, *made.drafts)
            self.record = await self._around.ledger.change(made.record, self.spec, drafts)
            self._announcer.announced(self.record)
            self._around.on_change(before, self.record, self.spec)
            if self.record.attempt != before.attempt:
                # The next attempt queues like any other job.
                self._around.queue.leave(self.record.uid)
        self._changed()

    async def take_report(self, said: Report) -> None:
        """Stores what the sidecar said. Raises StoreError: nothing changed."""
        await self.apply(f.Reported(said, self.order_given))

    async def take_log(self, lines: list[RawLine]) -> None:
        """Stores lines of the worker's log; their event follows in a moment. Raises StoreError: nothing changed."""
        await self._log(lambda: take_lines(self.record, lines, self._around.log_max_bytes))

    async def mark_log(self, why: str) -> None:
        """Stores, once an attempt, that the end of the worker's log could not be read. Raises StoreError: nothing changed."""
        await self._log(lambda: mark_incomplete(self.record, why, self._around.clock.now()))

    async def _log(self, make: Callable[[], Batch]) -> None:
        async with self._changing:
            batch = make()
            self.record = await self._around.ledger.change(batch.record, self.spec, (), batch)
            self._announcer.add(batch)
            if self._announcer.enough:
                await self._announce()
        self.announce_soon()

    def announce_soon(self) -> None:
        """Has stored lines without an event get one, after a moment in which more may come."""
        if waits(self.record) and (self._announcing is None or self._announcing.done()):
            self._announcing = asyncio.create_task(self._announce_later(), name="announce")

    def stop_announcing(self) -> None:
        """Lines that still wait get their event after the next start."""
        if self._announcing is not None:
            self._announcing.cancel()

    async def _announce_later(self) -> None:
        while waits(self.record):
            await self._around.clock.sleep(ANNOUNCE_AFTER_S)
            try:
                async with self._changing:
                    await self._announce()
            except StoreError as error:
                fields = {"job_id": self.record.id, "action": "announce", "error": str(error)}
                log.warning("log lines wait for their event", extra=fields)

    async def _announce(self, leave_last: bool = False) -> tuple[Record, tuple[f.Draft, ...]]:
        """Stores the events of all lines that have none; the caller holds the lock. With `leave_last` the last of them are not
        stored but returned, with the record that has them, to go into the caller's commit. Raises StoreError.
        """
        while waits(self.record):
            record, drafts = await self._announcer.next_events(self.record, self.spec)
            if leave_last and not waits(record):
                return record, drafts
            self.record = await self._around.ledger.change(record, self.spec, drafts)
            self._announcer.announced(self.record)
        return self.record, ()
