"""Stores settlements: those that wait together in one commit, in the order of their arrival.

Owns the settlements that wait for their commit. The settler retries without a limit: a full disk must not turn one delivery
into many.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from itertools import islice
from typing import Protocol

from jobd.clock import Clock, wait_for
from jobd.events.delivery.answered import Answered
from jobd.store.errors import StoreClosed, StoreFailed
from jobd.store.tables.delivery_rows import Settled, Settlement

log = logging.getLogger(__name__)

STORE_PAUSE_S = 1.0
"""The pause before a retry."""
MAX_GROUP = 256
"""Settlements in one commit."""
FULL_ENOUGH = 128
"""This many answers are written at once, without waiting for more; fewer if no more may wait."""


class SettlementStore(Protocol):
    """The store, for the settler."""

    async def settle(self, settlements: Sequence[Settlement]) -> list[Settled]:
        """Stores settlements in one commit."""
        ...


class Settler:
    """Writes settlements in groups. The caller lets at most `most` answers wait; those that are not urgent wait `patience_s` for others."""

    def __init__(self, store: SettlementStore, clock: Clock, patience_s: float, most: int) -> None:
        self._store = store
        self._clock = clock
        self._patience_s = patience_s
        self._full_enough = min(FULL_ENOUGH, max(1, most // 2))
        self._waiting: deque[tuple[Answered, bool]] = deque()
        self._wake = asyncio.Event()
        self._hurry = asyncio.Event()

    def add(self, answered: Answered, *, urgent: bool = True) -> None:
        """Takes the settlements of one request; `write_group` returns them once stored, and an answer without settlements once all
        earlier ones are stored. `urgent`: the job waits for the commit.
        """
        self._waiting.append((answered, urgent))
        self._wake.set()
        if urgent or len(self._waiting) >= self._full_enough:
            self._hurry.set()

    def hurry(self) -> None:
        """Writes all waiting settlements now."""
        self._hurry.set()

    async def write_group(self) -> list[tuple[Answered, list[Settled]]]:
        """Waits for answers and writes the next group. Returns each with the store's results.

        Raises:
            StoreError: the store is closed or damaged.
        """
        await self._wake.wait()
        if self._patience_s > 0:
            await wait_for(self._hurry, self._clock, self._patience_s)
        self._hurry.clear()
        group = self._next_group()
        if not self._waiting:
            self._wake.clear()
        settled = iter(await self._write([one for answered in group for one in answered.settlements]))
        return [(answered, list(islice(settled, len(answered.settlements)))) for answered in group]

    def _next_group(self) -> list[Answered]:
        group = [self._waiting.popleft()[0]]
        size = len(group[0].settlements)
        while self._waiting and size + len(self._waiting[0][0].settlements) <= MAX_GROUP:
            group.append(self._waiting.popleft()[0])
            size += len(group[-1].settlements)
        if len(self._waiting) >= self._full_enough or any(urgent for _, urgent in self._waiting):
            self._hurry.set()
        return group

    async def _write(self, settlements: list[Settlement]) -> list[Settled]:
        if not settlements:
            return []
        while True:
            try:
                return await self._store.settle(settlements)
            except StoreClosed:
                raise
            except StoreFailed as error:
                fields = {"action": "settle", "error": str(error), "count": len(settlements)}
                log.warning("cannot store settlements of deliveries", extra=fields)
            await self._clock.sleep(STORE_PAUSE_S)
