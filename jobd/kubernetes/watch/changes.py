"""Wakes those who wait until something about a job's Pods changes, so that no waiting job asks the API server again and again.

Owns the waiting callers. The watch tells each change as it reads it; a watch that is broken tells none, so every wait has a limit.
"""

import asyncio
import contextlib
from collections.abc import Iterator

FIRST_WAIT_S, LONGEST_WAIT_S, GROWTH = 1.0, 15.0, 1.5
"""How long to wait for the watch before a look at the API server itself, at first and after many waits without a change."""


class Changes:
    """Changes of one jobd's Pods. A change that nobody awaits is dropped."""

    def __init__(self) -> None:
        self._waiting: dict[str, set[Waiting]] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def tell(self, uid: str) -> None:
        """Wakes all who wait for a change of this job."""
        for waiting in self._waiting.get(uid, ()):
            waiting.changed.set()

    @contextlib.contextmanager
    def awaited(self, uid: str) -> Iterator["Waiting"]:
        """Notes each change of a job's Pods from now on: enter before the first look at the Pod."""
        waiting = Waiting()
        self._waiting.setdefault(uid, set()).add(waiting)
        try:
            yield waiting
        finally:
            others = self._waiting[uid]
            others.discard(waiting)
            if not others:
                del self._waiting[uid]


class Waiting:
    """One caller's wait for changes. `limit_s`: of the next wait, in seconds."""

    def __init__(self) -> None:
        self.changed = asyncio.Event()
        self.limit_s = FIRST_WAIT_S

    async def wait(self) -> None:
        """Returns after a change since the last call, or after the limit, which grows with each wait that it ends."""
        try:
            async with asyncio.timeout(self.limit_s):
                await self.changed.wait()
        except TimeoutError:
            self.limit_s = min(self.limit_s * GROWTH, LONGEST_WAIT_S)
        self.changed.clear()
