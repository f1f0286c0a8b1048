"""A memory limit in bytes that many requests share: a request reserves bytes before it reads data, and waits while the budget is exhausted.

Owns the count, the queue of waiting requests, and the eviction of stalled readers while other requests wait. Knows neither HTTP
nor the store.
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

EVICTED = "slow-reader"
"""The message of the cancellation that ends a stalled reader."""
WAIT_LIMIT_S = 600.0


class BudgetExhausted(Exception):
    """The budget had too few free bytes until the time limit."""


class Reservation:
    """The bytes of the budget that one task has reserved."""

    def __init__(self, budget: "ByteBudget", size: int, task: asyncio.Task[object] | None) -> None:
        self._budget = budget
        self.size = size
        self.task = task
        self.progress_at = budget.now()

    def resize(self, size: int) -> None:
        """Sets the reservation to the size of the data: frees the rest, or adds the bytes beyond the estimate."""
        self._budget.resize(self, size)

    def mark_progress(self) -> None:
        """Records that the task has sent something, so that the budget does not take the task for stalled."""
        self.progress_at = self._budget.now()


class ByteBudget:
    """At most `limit` bytes are reserved at once, plus the excess of one item that is longer than its estimate.

    `patience_s`: while a request has waited that long, each reservation without progress for as long has its task cancelled with the
    message EVICTED; the reader's client goes on from its cursor. None: no task is cancelled.
    """

    def __init__(
        self, limit: int, *, patience_s: float | None = None, now: Callable[[], float] = time.monotonic
    ) -> None:
        self.limit = limit
        self.now = now
        self._patience_s = patience_s
        self._reserved_bytes = 0
        self._reservations: set[Reservation] = set()
        self._estimated: Reservation | None = None
        self._waiters: deque[asyncio.Event] = deque()

    @property
    def reserved_bytes(self) -> int:
        """How many bytes are reserved."""
        return self._reserved_bytes

    @asynccontextmanager
    async def reserve(
        self, size: int, *, estimated: bool = False, limit_s: float = WAIT_LIMIT_S
    ) -> AsyncIterator[Reservation]:
        """Reserves `size` bytes as `acquire` does, and frees them at the end. Raises BudgetExhausted."""
        reservation = await self.acquire(size, estimated=estimated, limit_s=limit_s)
        try:
            yield reservation
        finally:
            self.release(reservation)

    async def acquire(
        self, size: int, *, estimated: bool = False, limit_s: float = WAIT_LIMIT_S
    ) -> Reservation:
        """Waits in FIFO order until `size` bytes are free, and reserves them until `release`. A `size` above the limit waits for the
        whole budget.

        `estimated`: the task calls `Reservation.resize` when it has read the data; until then the budget makes no other
        reservation, so that too small estimates do not add up.

        Raises:
            BudgetExhausted: after `limit_s`.
        """
        size = min(size, self.limit)
        if self._waiters or not self._fits(size):
            await self._wait_for_turn(size, limit_s)
        reservation = Reservation(self, size, asyncio.current_task())
        if estimated:
            self._estimated = reservation
        self._reservations.add(reservation)
        self._reserved_bytes += size
        self._wake_first()  # the next request may fit too
        return reservation

    def release(self, reservation: Reservation) -> None:
        """Frees what is reserved."""
        self._reservations.discard(reservation)
        self.resize(reservation, 0)

    def resize(self, reservation: Reservation, size: int) -> None:
        """Sets the size of a reservation."""
        self._reserved_bytes += size - reservation.size
        reservation.size = size
        if self._estimated is reservation:
            self._estimated = None
        self._wake_first()

    async def _wait_for_turn(self, size: int, limit_s: float) -> None:
        turn = asyncio.Event()
        self._waiters.append(turn)
        until = self.now() + limit_s
        try:
            while self._waiters[0] is not turn or not self._fits(size):
                turn.clear()
                left_s = until - self.now()
                if left_s <= 0:
                    raise BudgetExhausted(f"{self._reserved_bytes} of {self.limit} bytes are reserved")
                try:
                    # Not `wait_for`: it loses a cancellation that comes at the same moment as the turn (Python 3.11).
                    async with asyncio.timeout(min(left_s, self._patience_s or left_s)):
                        await turn.wait()
                except TimeoutError:
                    if self._waiters[0] is turn and self._patience_s is not None:
                        self._evict_stalled()
        finally:
            self._waiters.remove(turn)
            self._wake_first()

    def _fits(self, size: int) -> bool:
        return self._estimated is None and self._reserved_bytes + size <= self.limit

    def _wake_first(self) -> None:
        if self._waiters:
            self._waiters[0].set()

    def _evict_stalled(self) -> None:
        for reservation in self._reservations:
            stalled_s = self.now() - reservation.progress_at
            if reservation.task is not None and stalled_s >= (self._patience_s or 0.0):
                reservation.task.cancel(EVICTED)
