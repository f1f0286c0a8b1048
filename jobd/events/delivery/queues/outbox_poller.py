"""Reads due deliveries from the outbox into the work queue: no other module reads the store for work.

Owns when to read. `work_queue.py` owns what is in memory, the breakers decide what may be sent. Level-triggered: a notification makes
a delivery fast, and a scan of the whole outbox every half minute makes the delivery certain.
"""

import asyncio
import logging
from collections.abc import Sequence
from typing import Protocol

from jobd.clock import Clock, wait_for
from jobd.events.delivery.answered import Answered
from jobd.events.delivery.policies.breaker import Breakers
from jobd.events.delivery.queues.expiry import Expiry
from jobd.events.delivery.queues.poll_schedule import PollSchedule
from jobd.events.delivery.queues.work_queue import WorkQueue
from jobd.events.delivery.settler import STORE_PAUSE_S
from jobd.store.errors import StoreClosed, StoreFailed
from jobd.store.tables.delivery_rows import DestinationDue, Due

log = logging.getLogger(__name__)

SCAN_S = 30.0
AHEAD = 64
"""How many next deliveries of a job are loaded with its first one, to save reads."""
JOBS_AT_ONCE = 5
"""Jobs whose next deliveries are loaded together: a worker can send the first while others are read."""
DESTINATIONS_PAGE = 256
NOTIFIED_PAGE = 128
MAX_NOTIFIED = 4096


class PolledOutbox(Protocol):
    """The store, for the poller."""

    async def destinations(self, after: str, limit: int) -> list[DestinationDue]:
        """Destinations with pending deliveries, by name, after `after`."""
        ...

    async def due(self, destination: str, limit: int, ahead: int = 0) -> list[Due]:
        """The first pending delivery of each job of a destination, by due time, with the `ahead` next ones."""
        ...

    async def due_of(self, uids: Sequence[str], ahead: int = 0) -> list[Due]:
        """The first pending delivery of each of these jobs, with the `ahead` next ones."""
        ...


class OutboxPoller:
    """Puts due deliveries into the work queue while there is room."""

    def __init__(
        self,
        outbox: PolledOutbox,
        queue: WorkQueue,
        breakers: Breakers,
        expiry: Expiry,
        schedule: PollSchedule,
        clock: Clock,
    ) -> None:
        self._outbox = outbox
        self._queue = queue
        self._breakers = breakers
        self._expiry = expiry
        self._schedule = schedule
        self._clock = clock
        self._wake = asyncio.Event()
        self._notified: dict[str, None] = {}
        self._notified_in_memory: set[str] = set()
        self._scan_after = ""
        self._scan_at = 0.0
        self._rested_after = ""

    def notify(self, job_uid: str) -> None:
        """The job may have new deliveries. Cheap; an unneeded call does no harm."""
        if self._queue.holds(job_uid):
            self._notified_in_memory.add(job_uid)
        elif len(self._notified) < MAX_NOTIFIED:
            self._notified[job_uid] = None
            self._wake.set()
        else:
            self._scan_at = 0.0

    def ahead_of(self, destination: str) -> int:
        """How many deliveries to load behind a job's next one: 0 if other jobs wait in the store."""
        return 0 if self._schedule.is_overdue(destination) else AHEAD

    def released(self, answered: Answered, following: Due | None, next_ms: int | None) -> None:
        """A delivery is stored and its job has left the memory: `following` is due now, or the same delivery again at `next_ms`."""
        if next_ms is not None:
            self.poll_at(answered.destination, next_ms)
        if following is not None:
            self._put(following)
        elif answered.job_uid in self._notified_in_memory:
            self._notified[answered.job_uid] = None
            self._wake.set()
        self._notified_in_memory.discard(answered.job_uid)
        if answered.destination in self._schedule or self._queue.is_nearly_full:
            self._wake.set()

    def forgotten(self, destination: str) -> None:
        """The queue has dropped the waiting deliveries of this destination: the store has them, and new ones of their jobs."""
        self._notified_in_memory = {uid for uid in self._notified_in_memory if self._queue.holds(uid)}
        self.poll_at(destination, self._schedule.now_ms())

    def poll_at(self, destination: str, at_ms: int) -> None:
        """The store has a delivery of this destination that is due at the observed time `at_ms`."""
        if self._schedule.add(destination, at_ms):
            self._wake.set()

    async def run(self) -> None:
        """Loads until cancelled; retries after a failure of the store.

        Raises:
            StoreError: the store is closed or damaged.
        """
        while True:
            self._wake.clear()
            try:
                await self._poll()
                delay = self._delay_s()
            except StoreClosed:
                raise
            except StoreFailed as error:
                log.warning("cannot read the outbox", extra={"action": "poll", "error": str(error)})
                self._scan_at = 0.0
                await self._clock.sleep(STORE_PAUSE_S)
                continue
            await wait_for(self._wake, self._clock, delay)

    async def _poll(self) -> None:
        if self._clock.monotonic() >= self._scan_at:
            await self._scan()
        while self._notified:
            await self._load_notified()
        for destination in [
            destination
            for destination, at_ms in self._schedule.items()
            if self._queue.may_load(destination) and self._schedule.is_due(at_ms)
        ]:
            await self._load_destination(destination)
        # Deliveries loaded just before their breaker opened wait in memory, and may be sent after the cool-down.
        self._queue.wake_workers()

    def _delay_s(self) -> float:
        mono = self._clock.monotonic()
        delay = max(self._scan_at - mono, 0.0)
        for destination, at_ms in self._schedule.items():
            wait_s = self._breakers.wait_s(destination, mono)
            if wait_s == 0.0 and not self._queue.may_load(destination):
                continue  # a settlement makes room, and wakes the poller
            delay = min(delay, max(self._schedule.wait_s(at_ms), wait_s))
        return delay

    def _put(self, due: Due) -> None:
        """Queues a delivery, or schedules a read of its destination."""
        if self._schedule.is_due(due.due_ms):
            if self._schedule.is_overdue(due.destination):
                return  # other jobs of this destination have waited longer: a later read of the store loads this job
            admits = self._breakers.admits(due.destination, self._clock.monotonic())
            if admits and (self._queue.put(due) or self._queue.holds(due.job_uid)):
                return
        self.poll_at(due.destination, due.due_ms)

    async def _load_notified(self) -> None:
        uids = list(self._notified)[:NOTIFIED_PAGE]
        for uid in uids:
            del self._notified[uid]
        self._queue.begin_read()
        for due in await self._outbox.due_of(uids, AHEAD):
            if self._queue.was_released(due.job_uid) or self._queue.holds(due.job_uid):
                self.notify(due.job_uid)  # the read is out of date
            else:
                self._put(due)

    async def _load_destination(self, destination: str) -> None:
        self._schedule.remove(destination)
        limit = self._queue.load_limit(destination)
        self._queue.begin_read()
        rows = await self._outbox.due(destination, limit)
        more = len(rows) == limit
        uids = []
        for due in rows:
            if self._queue.was_released(due.job_uid):
                self.notify(due.job_uid)  # the read is out of date
            elif self._queue.holds(due.job_uid):
                continue
            elif not self._schedule.is_due(due.due_ms):
                self.poll_at(destination, due.due_ms)
                more = False  # the next deliveries are due even later
            else:
                uids.append(due.job_uid)
        if uids:
            more |= await self._load_jobs(destination, uids)
        if more:
            self.poll_at(destination, self._schedule.now_ms())

    async def _load_jobs(self, destination: str, uids: list[str]) -> bool:
        """Loads these jobs with their next deliveries. True if some were not queued."""
        for begin in range(0, len(uids), JOBS_AT_ONCE):
            if not self._breakers.admits(destination, self._clock.monotonic()):
                return (
                    True  # the host went down meanwhile: deliveries that are not in memory stay in the store
                )
            for due in await self._outbox.due_of(uids[begin : begin + JOBS_AT_ONCE], AHEAD):
                if self._queue.was_released(due.job_uid) or self._queue.holds(due.job_uid):
                    self.notify(due.job_uid)
                elif not self._schedule.is_due(due.due_ms):
                    self.poll_at(due.destination, due.due_ms)
                elif not self._queue.put(due):
                    return True
        return False

    async def _scan(self) -> None:
        self._scan_at = self._clock.monotonic() + SCAN_S
        self._expiry.begin_scan()
        await self._forget_breakers()
        while True:
            page = await self._outbox.destinations(self._scan_after, DESTINATIONS_PAGE)
            for waiting in page:
                if self._breakers.state(waiting.destination, self._clock.monotonic()) != "closed":
                    await self._expiry.park(waiting.destination)
                self.poll_at(waiting.destination, waiting.due_ms)
            self._scan_after = page[-1].destination if len(page) == DESTINATIONS_PAGE else ""
            if not self._scan_after or len(self._schedule) >= self._queue.capacity:
                break

    async def _forget_breakers(self) -> None:
        """Drops the breakers of hosts without pending deliveries."""
        destinations = self._breakers.rested(self._clock.monotonic(), self._rested_after, DESTINATIONS_PAGE)
        self._rested_after = destinations[-1] if len(destinations) == DESTINATIONS_PAGE else ""
        for destination in destinations:
            if not self._queue.held(destination) and not await self._outbox.due(destination, 1):
                self._breakers.forget(destination, self._clock.monotonic())
