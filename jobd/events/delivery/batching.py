"""Builds the content of one request: one event's bytes, or a run of a job's events if its receiver takes batches.

Owns the bounds of a batch, how many bytes of long bodies are in memory at once, and which jobs send single events because their
receiver has refused a batch. Knows nothing of sending.
"""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Protocol, TypeVar

from msgspec.structs import replace

from jobd.budget import BudgetExhausted, ByteBudget
from jobd.clock import Clock
from jobd.events.delivery.settler import STORE_PAUSE_S
from jobd.store.errors import StoreClosed, StoreFailed
from jobd.store.tables.delivery_rows import Due

log = logging.getLogger(__name__)
T = TypeVar("T")

BATCH_EVENTS = 100
BATCH_BYTES = 1 << 20
MAX_SINGLY = 10_000
COPIES = 4
"""Copies of a body in memory while it is sent: as read, in its batch, in its request, and in the connection's buffer."""
REQUEST_BUDGET_BYTES = 128 << 20
"""All copies of the long bodies and batches whose requests are under way; a longer one is sent alone."""


class StoredBodies(Protocol):
    """The store, for batching."""

    async def delivery_body(self, delivery_id: int) -> bytes | None:
        """The bytes of one event."""
        ...

    async def delivery_run(self, delivery_id: int, limit: int, max_bytes: int) -> list[Due]:
        """A pending delivery and the next ones of its job, each with its body."""
        ...


class Batching:
    """Reads the bytes to send; retries after a failure of the store."""

    def __init__(self, stored: StoredBodies, clock: Clock) -> None:
        self._stored = stored
        self._clock = clock
        self._singly: dict[str, int] = {}
        self._budget = ByteBudget(REQUEST_BUDGET_BYTES)

    @property
    def held_bytes(self) -> int:
        """How much of the budget is in use."""
        return self._budget.reserved_bytes

    @asynccontextmanager
    async def reading(self, due: Due) -> AsyncIterator[list[Due]]:
        """Yields the part of `run_of` that fits one request, once the budget has room; holds the room while the request is under way.

        Raises:
            StoreClosed: the store is closed.
        """
        size = max(due.body_bytes, BATCH_BYTES if due.batch else 0)
        while True:
            try:
                async with self._budget.reserve(COPIES * size) as hold:
                    run = await self.run_of(due)
                    hold.resize(COPIES * sum(len(one.body or b"") for one in run))
                    yield _undamaged(run)
                return
            except BudgetExhausted as error:
                log.warning("long events wait for memory", extra={"action": "deliver", "error": str(error)})

    async def run_of(self, due: Due) -> list[Due]:
        """Returns the deliveries of one request, with bodies; empty if the store no longer has the delivery.

        Raises:
            StoreClosed: the store is closed.
        """
        if due.batch and due.id > self._singly.get(due.job_uid, 0):
            self._singly.pop(due.job_uid, None)
            return await self._read(lambda: self._stored.delivery_run(due.id, BATCH_EVENTS, BATCH_BYTES))
        if due.body is None:
            body = await self._read(lambda: self._stored.delivery_body(due.id))
            return [] if body is None else [replace(due, body=body)]
        return [due]

    def refused(self, run: Sequence[Due]) -> None:
        """The receiver has refused this batch: jobd sends each of its deliveries alone."""
        if len(self._singly) >= MAX_SINGLY:
            del self._singly[next(iter(self._singly))]
        self._singly[run[0].job_uid] = run[-1].id

    async def _read(self, read: Callable[[], Awaitable[T]]) -> T:
        while True:
            try:
                return await read()
            except StoreClosed:
                raise
            except StoreFailed as error:
                log.warning("cannot read an event", extra={"action": "deliver", "error": str(error)})
            await self._clock.sleep(STORE_PAUSE_S)


def _undamaged(run: list[Due]) -> list[Due]:
    """Returns the beginning of a run up to a damaged event, or a damaged first event alone. Pure."""
    count = next((n for n, due in enumerate(run) if not due.body), len(run))
    return run[: max(1, count)]
