"""Putting on record what became of deliveries: what waits together is written together, in the order in which it came.

Owns the one writing that is under way and the line behind it. A disk that refuses is asked again for as long as it takes: it
must not turn one delivery into many.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from jobd.clock import Clock, wait_for
from jobd.store.errors import StoreClosed, StoreFailed
from jobd.store.tables.rows import Settled, Settlement

log = logging.getLogger(__name__)

STORE_PAUSE_S = 1.0
MAX_GROUP = 256
"""Settlements in one commit."""
ENOUGH = 64
"""So many do not wait for company."""


class Record(Protocol):
    """What the settler needs of the store."""

    async def settle(self, settlements: Sequence[Settlement]) -> list[Settled]:
        """Keeps what became of deliveries, in one commit."""
        ...


@dataclass(frozen=True, slots=True)
class _Entry:
    settlements: tuple[Settlement, ...]
    then: Callable[[list[Settled]], None]
    urgent: bool


class Settler:
    """Writes settlements in groups. The caller bounds how many wait. `patience_s`: what nobody waits for waits so long."""

    def __init__(self, record: Record, clock: Clock, patience_s: float) -> None:
        self._record = record
        self._clock = clock
        self._patience_s = patience_s
        self._line: deque[_Entry] = deque()
        self._wake = asyncio.Event()
        self._hurry = asyncio.Event()

    def add(
        self,
        settlements: Sequence[Settlement],
        then: Callable[[list[Settled]], None],
        *,
        urgent: bool = True,
    ) -> None:
        """Takes settlements that belong together; `then` is called once they are durable, with what follows each. With none
        at all it is called once everything before is durable. `urgent`: someone waits for it.
        """
        self._line.append(_Entry(tuple(settlements), then, urgent))
        self._wake.set()
        if urgent or len(self._line) >= ENOUGH:
            self._hurry.set()

    def hurry(self) -> None:
        """Has all that waits written now."""
        self._hurry.set()

    async def run(self) -> None:
        """Writes until cancelled.

        Raises:
            StoreError: the store is closed or damaged.
        """
        while True:
            await self._wake.wait()
            if self._patience_s > 0:
                await wait_for(self._hurry, self._clock, self._patience_s)
            self._hurry.clear()
            await self._write_group()

    async def _write_group(self) -> None:
        """Writes the next group. A method of its own: what the store gave back must not stay in memory until the next one."""
        group = self._next_group()
        if not self._line:
            self._wake.clear()
        settled = await self._write([one for entry in group for one in entry.settlements])
        begin = 0
        for entry in group:
            end = begin + len(entry.settlements)
            entry.then(settled[begin:end])
            begin = end

    def _next_group(self) -> list[_Entry]:
        group = [self._line.popleft()]
        size = len(group[0].settlements)
        while self._line and size + len(self._line[0].settlements) <= MAX_GROUP:
            group.append(self._line.popleft())
            size += len(group[-1].settlements)
        if len(self._line) >= ENOUGH or any(entry.urgent for entry in self._line):
            self._hurry.set()
        return group

    async def _write(self, settlements: list[Settlement]) -> list[Settled]:
        if not settlements:
            return []
        while True:
            try:
                return await self._record.settle(settlements)
            except StoreClosed:
                raise
            except StoreFailed as error:
                fields = {"action": "settle", "error": str(error), "count": len(settlements)}
                log.warning("cannot put deliveries on record", extra=fields)
            await self._clock.sleep(STORE_PAUSE_S)
