"""Parks deliveries that are too old for a host that stays down: in bounded commits, each job's deliveries in their order.

Owns the age limit and how much one commit parks. The store counts an age in observed time, also over restarts and independent of
the wall clock. `outbox_poller.py` decides when to park.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from jobd.clock import Clock
from jobd.events.delivery.delivery_log import DeliveryLog
from jobd.events.delivery.queues.work_queue import WorkQueue

JOBS_PAGE = 256
MAX_IN_COMMIT = 1000
"""Deliveries that are parked in one commit."""
MAX_IN_SCAN = 20_000
"""Deliveries that are parked in one scan: jobd loads no other delivery meanwhile."""
UNTRIED_S = 3600.0
"""An old delivery that was replayed, and not tried since, expires after this time at the earliest."""
REASON = "expired: its host has been down for too long"


class ExpiringOutbox(Protocol):
    """The store, for expiry."""

    async def expired_jobs(self, destination: str, age_s: float, untried_s: float, limit: int) -> list[str]:
        """Jobs of a destination whose first pending delivery is older than `age_s` of observed time."""
        ...

    async def expire_deliveries(
        self,
        uids: Sequence[str],
        age_s: float,
        untried_s: float,
        at: datetime,
        error: str,
        limit: int,
    ) -> int:
        """Parks the first pending deliveries of these jobs that are older than `age_s`, in one commit; returns their number."""
        ...


class Expiry:
    """Parks deliveries older than `max_age_s`, up to `MAX_IN_SCAN` per scan."""

    def __init__(
        self,
        outbox: ExpiringOutbox,
        queue: WorkQueue,
        clock: Clock,
        delivery_log: DeliveryLog,
        max_age_s: float,
    ) -> None:
        self._outbox = outbox
        self._queue = queue
        self._clock = clock
        self._delivery_log = delivery_log
        self._max_age_s = max_age_s
        self._left = 0

    def begin_scan(self) -> None:
        """A scan of the outbox begins: `park` may park `MAX_IN_SCAN` deliveries until the next scan."""
        self._left = MAX_IN_SCAN

    async def park(self, destination: str) -> None:
        """Parks too old deliveries of a destination whose host is down, except for jobs in memory."""
        while self._left > 0:
            self._queue.begin_read()
            most = JOBS_PAGE + self._queue.held(destination)
            expired = await self._outbox.expired_jobs(destination, self._max_age_s, UNTRIED_S, most)
            uids = [
                uid for uid in expired if not self._queue.holds(uid) and not self._queue.was_released(uid)
            ]
            if not uids:
                break
            at, limit = self._clock.now(), min(MAX_IN_COMMIT, self._left)
            count = await self._outbox.expire_deliveries(uids, self._max_age_s, UNTRIED_S, at, REASON, limit)
            if not count:
                break
            self._left -= count
            self._delivery_log.expired(destination, count)
