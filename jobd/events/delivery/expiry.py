"""Parks deliveries that are too old for a host that stays down: in bounded commits, each job's deliveries in their order.

Owns what is too old and how much is parked at once. An age is time that jobd has seen pass, also over restarts: the store counts the
age, and the wall clock has no part in it. `outbox_poller.py` decides when to park.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from jobd.clock import Clock
from jobd.events.delivery.delivery_log import DeliveryLog
from jobd.events.delivery.work_queue import WorkQueue

JOBS_PAGE = 256
MAX_IN_COMMIT = 1000
"""Deliveries that are parked in one commit."""
MAX_IN_SCAN = 20_000
"""Deliveries that are parked in one scan: no other delivery is loaded meanwhile."""
UNTRIED_S = 3600.0
"""An old delivery that was made pending again, and not tried since, is given this long."""
REASON = "expired: its host has been down for too long"


class ExpiringOutbox(Protocol):
    """What is needed of the store."""

    async def expired_jobs(self, destination: str, age_s: float, untried_s: float, limit: int) -> list[str]:
        """Jobs of a destination whose first pending delivery is older than `age_s`, by time that was seen to pass."""
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
        """Parks the first pending deliveries of these jobs that are older than `age_s`, in one commit; returns how many."""
        ...


class Expiry:
    """Parks what is older than `max_age_s`, up to `MAX_IN_SCAN` deliveries a scan."""

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
        """Parks what is too old for a destination whose host is down, except for jobs that are in memory."""
        while self._left > 0:
            self._queue.begin_read()
            most = JOBS_PAGE + self._queue.held(destination)
            found = await self._outbox.expired_jobs(destination, self._max_age_s, UNTRIED_S, most)
            uids = [uid for uid in found if not self._queue.holds(uid) and not self._queue.was_released(uid)]
            if not uids:
                break
            at, limit = self._clock.now(), min(MAX_IN_COMMIT, self._left)
            count = await self._outbox.expire_deliveries(uids, self._max_age_s, UNTRIED_S, at, REASON, limit)
            if not count:
                break
            self._left -= count
            self._delivery_log.expired(destination, count)
