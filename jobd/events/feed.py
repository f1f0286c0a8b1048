"""The live feed of stored events: followed from any number on, without a gap, by any number of readers.

Owns who waits. Holds no event: every reader reads the store in pages at its own pace, so a slow one costs nothing.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Protocol

from jobd.store.rows import StoredEvent

PAGE = 100


class EventLog(Protocol):
    """What the feed needs of the store."""

    async def list_events(self, after_seq: int, job_uid: str | None, limit: int) -> list[StoredEvent]:
        """Events after `after_seq`, oldest first."""
        ...


class Feed:
    """Wakes readers when there are events for them."""

    def __init__(self, events: EventLog) -> None:
        self._events = events
        self._waiting: dict[asyncio.Event, str | None] = {}

    def publish(self, events: Iterable[StoredEvent]) -> None:
        """Call after a commit, with what it stored. Cheap, never waits."""
        if not self._waiting:
            return
        uids = {event.job_uid for event in events}
        for waiter, wanted in self._waiting.items():
            if uids and (wanted is None or wanted in uids):
                waiter.set()

    async def after(
        self, seq: int, job_uid: str | None = None, limit: int = PAGE, wait_s: float | None = None
    ) -> list[StoredEvent]:
        """Returns events after number `seq`, of one job or of all, oldest first; waits for the first one.

        An empty list after `wait_s` seconds without any: time for a sign of life. None waits for ever.
        """
        waiter = asyncio.Event()
        self._waiting[waiter] = job_uid  # before the first look: what is published meanwhile is not missed
        try:
            async with asyncio.timeout(wait_s):
                while True:
                    page = await self._events.list_events(seq, job_uid, limit)
                    if page:
                        return page
                    await waiter.wait()
                    waiter.clear()
        except TimeoutError:
            return []
        finally:
            del self._waiting[waiter]

    async def follow(self, after_seq: int, job_uid: str | None = None) -> AsyncIterator[StoredEvent]:
        """Yields events after number `after_seq` for ever, in order, each once."""
        while True:
            for event in await self.after(after_seq, job_uid):
                yield event
                after_seq = event.seq
