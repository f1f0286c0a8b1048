"""What comes from the outbox into the lanes, and when: the one place that looks at the disk for work.

Owns when to look. What is in memory is `destination_queues.py`'s, what may be sent is the breakers'. Level-triggered: a notification
makes things quick, and a look at everything every now and then makes them sure.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from jobd.clock import Clock, wait_for
from jobd.events.delivery.breaker import Breakers
from jobd.events.delivery.destination_queues import DestinationQueues
from jobd.events.delivery.expiry import ExpiringOutbox, Expiry
from jobd.events.delivery.observer import DeliveryObserver
from jobd.events.delivery.settings import DispatcherSettings
from jobd.events.delivery.settler import STORE_PAUSE_S
from jobd.events.delivery.unrecorded import Unrecorded
from jobd.store.errors import StoreClosed, StoreFailed
from jobd.store.tables.rows import Delivery, DestinationDue, Due, Settled, Settlement

log = logging.getLogger(__name__)

RESCAN_S = 30.0
AHEAD = 64
"""Deliveries behind a job's first one that are loaded with it: so many go out without a look at the disk."""
AT_A_TIME = 5
"""Jobs that are loaded together with what is behind their first delivery: the first can go while the others are read."""
LANES_PAGE = 256
FRESH_PAGE = 128
MAX_FRESH = 4096
MAX_LOOKS = 4096
"""Lanes whose next look is remembered; the others are found by the look at everything."""


class Outbox(ExpiringOutbox, Protocol):
    """What the dispatcher needs of the store."""

    async def destinations(self, after: str, limit: int) -> list[DestinationDue]:
        """Lanes with pending deliveries, by name, after `after`."""
        ...

    async def due(self, destination: str, limit: int, ahead: int = 0) -> list[Due]:
        """The first pending delivery of each job of a lane, by the time at which it is due, with `ahead` behind it."""
        ...

    async def due_of(self, uids: Sequence[str], ahead: int = 0) -> list[Due]:
        """The first pending delivery of each of these jobs, with `ahead` behind it."""
        ...

    async def delivery_body(self, delivery_id: int) -> bytes | None:
        """The bytes to send."""
        ...

    async def delivery_run(self, delivery_id: int, limit: int, max_bytes: int) -> list[Due]:
        """A pending delivery and those of its job behind it, each with its body."""
        ...

    async def settle(self, settlements: Sequence[Settlement]) -> list[Settled]:
        """Keeps what became of deliveries, in one commit."""
        ...

    async def replay(self, delivery_id: int, at: datetime) -> Delivery | None:
        """Makes a delivery pending and due again."""
        ...

    async def replay_all(self, uid: str, at: datetime) -> int:
        """Makes all deliveries of a job pending that were given up."""
        ...


class OutboxPoller:
    """Loads what is due. `on_loaded` is called when there is something to send."""

    def __init__(
        self,
        outbox: Outbox,
        destinations: DestinationQueues,
        breakers: Breakers,
        settings: DispatcherSettings,
        clock: Clock,
        observer: DeliveryObserver,
        on_loaded: Callable[[], None],
    ) -> None:
        self._outbox = outbox
        self._queues = destinations
        self._breakers = breakers
        self._clock = clock
        self._on_loaded = on_loaded
        self._horizon = timedelta(seconds=settings.horizon_s)
        self._wake = asyncio.Event()
        self._fresh: dict[str, None] = {}
        self._again: set[str] = set()
        self._settled: set[str] = set()
        self._looks: dict[str, datetime] = {}
        self._scan_after = ""
        self._scan_at = 0.0
        self._expiry = Expiry(outbox, destinations, clock, observer, settings.max_age_s, self._settled)
        self._rested_after = ""

    def notify(self, job_uid: str) -> None:
        """There may be something new for this job. Cheap; a call too many does no harm."""
        if self._queues.holds(job_uid):
            self._again.add(job_uid)
        elif len(self._fresh) < MAX_FRESH:
            self._fresh[job_uid] = None
            self._wake.set()
        else:
            self._scan_at = 0.0

    def ahead_of(self, destination: str) -> int:
        """How many deliveries behind the next one of a job are worth loading with it: none where others wait on disk."""
        return 0 if self._is_crowded(destination) else AHEAD

    def _is_crowded(self, destination: str) -> bool:
        return destination in self._looks and self._is_due(self._looks[destination])

    def settled(self, due: Unrecorded, following: Due | None, next_at: datetime | None) -> None:
        """A delivery is on record and its job not held any more: `following` is due now, or the same again at `next_at`."""
        self._settled.add(due.job_uid)
        if next_at is not None:
            self.look_at(due.destination, next_at)
        if following is not None:
            self._offer(following)
        elif due.job_uid in self._again:
            self._fresh[due.job_uid] = None
            self._wake.set()
        self._again.discard(due.job_uid)
        if due.destination in self._looks or self._queues.is_nearly_full:
            self._wake.set()

    def forgotten(self, destination: str) -> None:
        """The lanes have let go of what waited in this one: it is on disk, with what was new for its jobs."""
        self._again = {uid for uid in self._again if self._queues.holds(uid)}
        self.look_at(destination, self._clock.now())

    def look_at(self, destination: str, moment: datetime) -> None:
        """This lane has something on disk that is due at `moment`."""
        known = self._looks.get(destination)
        if known is not None and known <= moment:
            return
        if known is None and len(self._looks) >= MAX_LOOKS:
            latest = max(self._looks, key=self._looks.__getitem__)
            if self._looks[latest] <= moment:
                return
            del self._looks[latest]
        self._looks[destination] = moment
        self._wake.set()

    async def run(self) -> None:
        """Loads until cancelled. A store that fails is asked again.

        Raises:
            StoreError: the store is closed or damaged.
        """
        while True:
            self._wake.clear()
            try:
                await self._load()
                delay = self._delay_s()
            except StoreClosed:
                raise
            except StoreFailed as error:
                log.warning("cannot read the outbox", extra={"action": "load", "error": str(error)})
                self._scan_at = 0.0
                await self._clock.sleep(STORE_PAUSE_S)
                continue
            await wait_for(self._wake, self._clock, delay)

    async def _load(self) -> None:
        if self._clock.monotonic() >= self._scan_at:
            await self._scan()
        while self._fresh:
            await self._load_fresh()
        for destination in [
            destination
            for destination in self._looks
            if self._may_look(destination) and self._is_due(self._looks[destination])
        ]:
            await self._look(destination)
        # What was loaded just before its breaker opened waits in memory: time, too, can let it go.
        self._on_loaded()

    def _delay_s(self) -> float:
        mono, now = self._clock.monotonic(), self._clock.now()
        delay = max(self._scan_at - mono, 0.0)
        for destination, moment in self._looks.items():
            wait_s = self._breakers.wait_s(destination, mono)
            if wait_s == 0.0 and not self._may_look(destination):
                continue  # a settlement makes room, and wakes
            due_s = 0.0 if self._is_due(moment) else (moment - now).total_seconds()
            delay = min(delay, max(due_s, wait_s))
        return delay

    def _may_look(self, destination: str) -> bool:
        return self._queues.wants(destination) and self._breakers.admits(destination, self._clock.monotonic())

    def _is_due(self, moment: datetime) -> bool:
        now = self._clock.now()
        return moment <= now or moment > now + self._horizon

    def _offer(self, due: Due) -> None:
        """Takes one in, or remembers that it is on disk."""
        if not self._is_due(due.due_at):
            self.look_at(due.destination, due.due_at)
        elif self._is_crowded(due.destination):
            pass  # others of this lane have waited longer: it takes its turn from the disk
        elif not self._breakers.admits(due.destination, self._clock.monotonic()):
            self.look_at(due.destination, due.due_at)
        elif self._queues.hold(due):
            self._on_loaded()
        elif not self._queues.holds(due.job_uid):
            self.look_at(due.destination, due.due_at)

    async def _load_fresh(self) -> None:
        uids = list(self._fresh)[:FRESH_PAGE]
        for uid in uids:
            del self._fresh[uid]
        self._settled.clear()
        for due in await self._outbox.due_of(uids, AHEAD):
            if due.job_uid in self._settled or self._queues.holds(due.job_uid):
                self.notify(due.job_uid)  # what was read is older than what is known
            else:
                self._offer(due)

    async def _look(self, destination: str) -> None:
        del self._looks[destination]
        limit = self._queues.held(destination) + self._queues.room(destination) + 1
        self._settled.clear()
        rows = await self._outbox.due(destination, limit)
        more = len(rows) == limit
        uids = []
        for due in rows:
            if due.job_uid in self._settled:
                self.notify(due.job_uid)  # what was read is older than what is known
            elif self._queues.holds(due.job_uid):
                continue
            elif not self._is_due(due.due_at):
                self.look_at(destination, due.due_at)
                more = False  # what comes behind it is due later still
            else:
                uids.append(due.job_uid)
        if uids:
            more |= await self._take_in(destination, uids)
        if more:
            self.look_at(destination, self._clock.now())

    async def _take_in(self, destination: str, uids: list[str]) -> bool:
        """Loads these jobs of a lane with what is behind their first delivery. True where some were not taken."""
        for begin in range(0, len(uids), AT_A_TIME):
            if not self._breakers.admits(destination, self._clock.monotonic()):
                return True  # its host went down meanwhile: what is not in memory stays on disk
            for due in await self._outbox.due_of(uids[begin : begin + AT_A_TIME], AHEAD):
                if due.job_uid in self._settled or self._queues.holds(due.job_uid):
                    self.notify(due.job_uid)
                elif not self._is_due(due.due_at):
                    self.look_at(due.destination, due.due_at)
                elif self._queues.hold(due):
                    self._on_loaded()
                else:
                    return True
        return False

    async def _scan(self) -> None:
        self._scan_at = self._clock.monotonic() + RESCAN_S
        self._expiry.begin()
        await self._forget_breakers()
        while True:
            page = await self._outbox.destinations(self._scan_after, LANES_PAGE)
            for found in page:
                if self._breakers.state(found.destination, self._clock.monotonic()) != "closed":
                    await self._expiry.park(found.destination)
                self.look_at(found.destination, found.due_at)
            self._scan_after = page[-1].destination if len(page) == LANES_PAGE else ""
            if not self._scan_after or len(self._looks) >= self._queues.capacity:
                break

    async def _forget_breakers(self) -> None:
        """Lets go of what is remembered of hosts for which nothing waits any more, so that it is not remembered for ever."""
        destinations = self._breakers.rested(self._clock.monotonic(), self._rested_after, LANES_PAGE)
        self._rested_after = destinations[-1] if len(destinations) == LANES_PAGE else ""
        for destination in destinations:
            if not self._queues.held(destination) and not await self._outbox.due(destination, 1):
                self._breakers.forget(destination, self._clock.monotonic())
