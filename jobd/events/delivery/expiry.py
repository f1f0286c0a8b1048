"""Parking what is too old for a host that stays down: in bounded commits, each job's deliveries in their order.

Owns what is too old and how much is parked at once. An age is time that jobd has seen pass, also over restarts: the store counts it,
and the wall clock has no part in it. When to look is `outbox_poller.py`'s, the statements are the store's.
"""

import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from jobd.clock import Clock
from jobd.events.delivery.destination_queues import DestinationQueues
from jobd.events.delivery.observer import DeliveryObserver

log = logging.getLogger(__name__)

PAGE = 256
AT_ONCE = 1000
"""Deliveries that are parked in one commit."""
A_SCAN = 20_000
"""So many in one look at everything: other hosts' deliveries are not loaded meanwhile."""
UNTRIED_S = 3600.0
"""An old delivery that was made pending again, and not tried since, is given this long."""
REASON = "expired: its host has been down for too long"


class ExpiringOutbox(Protocol):
    """What is needed of the store."""

    async def expired_jobs(self, destination: str, age_s: float, untried_s: float, limit: int) -> list[str]:
        """Jobs of a lane whose first pending delivery is older than `age_s`, by time that was seen to pass."""
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
    """Parks for one look at everything after the other. `changed`: uids of jobs that were settled since it was cleared."""

    def __init__(
        self,
        outbox: ExpiringOutbox,
        destinations: DestinationQueues,
        clock: Clock,
        observer: DeliveryObserver,
        max_age_s: float,
        changed: set[str],
    ) -> None:
        self._outbox = outbox
        self._queues = destinations
        self._clock = clock
        self._observer = observer
        self._max_age_s = max_age_s
        self._changed = changed
        self._left = 0

    def begin(self) -> None:
        """A look at everything begins: `park` may park `A_SCAN` deliveries until the next."""
        self._left = A_SCAN

    async def park(self, destination: str) -> None:
        """Parks what is too old in a lane whose host is down, but for jobs that are in memory."""
        while self._left > 0:
            self._changed.clear()
            most = PAGE + self._queues.held(destination)
            found = await self._outbox.expired_jobs(destination, self._max_age_s, UNTRIED_S, most)
            uids = [uid for uid in found if not self._queues.holds(uid) and uid not in self._changed]
            if not uids:
                break
            at, limit = self._clock.now(), min(AT_ONCE, self._left)
            count = await self._outbox.expire_deliveries(uids, self._max_age_s, UNTRIED_S, at, REASON, limit)
            if not count:
                break
            self._left -= count
            self._observer.dropped("parked", count)
            log.info("deliveries expired", extra={"action": "expire", "lane": destination, "count": count})
