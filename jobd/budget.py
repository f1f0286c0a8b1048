"""A bound in bytes that many requests share: a request that holds data has it counted, one that wants some waits for room.

Owns the count, the line of those that wait, and the eviction of readers that do not read while others wait. Knows neither HTTP nor
the store.
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

EVICTED = "slow-reader"
"""The message of the cancellation that ends a reader which does not read."""
WAIT_LIMIT_S = 600.0


class NoRoom(Exception):
    """No room became free within the time limit."""


class Hold:
    """A part of the budget that one task holds. `size` in bytes."""

    def __init__(self, budget: "ByteBudget", size: int, task: asyncio.Task[object] | None) -> None:
        self._budget = budget
        self.size = size
        self.task = task
        self.moved_at = budget.now()

    def measured(self, size: int) -> None:
        """What was read has this size: the rest is given back, or what is beyond it is counted too."""
        self._budget.resize(self, size)

    def moved(self) -> None:
        """The holder has passed something on: it is not stalled."""
        self.moved_at = self._budget.now()


class ByteBudget:
    """At most `limit` bytes are held at once, and one item more where it is longer than its reader expected.

    `patience_s`: where somebody has waited so long in vain, each holder that has passed nothing on for as long is cancelled with the
    message EVICTED; a reader goes on from its cursor. None: no holder is cancelled.
    """

    def __init__(
        self, limit: int, *, patience_s: float | None = None, now: Callable[[], float] = time.monotonic
    ) -> None:
        self.limit = limit
        self.now = now
        self._patience_s = patience_s
        self._held = 0
        self._holds: set[Hold] = set()
        self._reading: Hold | None = None
        self._line: deque[asyncio.Event] = deque()

    @property
    def held(self) -> int:
        """How many bytes are held."""
        return self._held

    @asynccontextmanager
    async def hold(
        self, size: int, *, estimated: bool = False, limit_s: float = WAIT_LIMIT_S
    ) -> AsyncIterator[Hold]:
        """Waits, first come first served, until `size` bytes fit, and holds them. `size` above the limit waits for all of it.

        `estimated`: how much it is shows when it has been read, and `Hold.measured` says it; until then no other hold is given,
        so that estimates which are too small do not add up.

        Raises:
            NoRoom: after `limit_s`.
        """
        size = min(size, self.limit)
        await self._room(size, limit_s)
        hold = Hold(self, size, asyncio.current_task())
        if estimated:
            self._reading = hold
        self._holds.add(hold)
        self._held += size
        self._wake()  # there may be room for the next one too
        try:
            yield hold
        finally:
            self._holds.discard(hold)
            self.resize(hold, 0)

    def resize(self, hold: Hold, size: int) -> None:
        """Counts a hold by the size that it has in fact."""
        self._held += size - hold.size
        hold.size = size
        if self._reading is hold:
            self._reading = None
        self._wake()

    async def _room(self, size: int, limit_s: float) -> None:
        if not self._line and self._fits(size):
            return
        turn = asyncio.Event()
        self._line.append(turn)
        until = self.now() + limit_s
        try:
            while self._line[0] is not turn or not self._fits(size):
                turn.clear()
                left_s = until - self.now()
                if left_s <= 0:
                    raise NoRoom(f"{self._held} of {self.limit} bytes are held")
                try:
                    # Not `wait_for`: it loses a cancellation that comes at the same moment as the turn (Python 3.11).
                    async with asyncio.timeout(min(left_s, self._patience_s or left_s)):
                        await turn.wait()
                except TimeoutError:
                    if self._line[0] is turn and self._patience_s is not None:
                        self._evict()
        finally:
            self._line.remove(turn)
            self._wake()

    def _fits(self, size: int) -> bool:
        return self._reading is None and self._held + size <= self.limit

    def _wake(self) -> None:
        if self._line:
            self._line[0].set()

    def _evict(self) -> None:
        for hold in self._holds:
            if hold.task is not None and self.now() - hold.moved_at >= (self._patience_s or 0.0):
                hold.task.cancel(EVICTED)
