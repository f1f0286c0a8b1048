"""The live feed of stored events, for any number of readers: from any event number on, without a gap.

Owns which readers wait for new events. Keeps no event: each reader reads the store in short pages at its own pace, and all readers
together hold no more than a budget in bytes. jobd disconnects a reader that does not read while others wait; its client continues from its
cursor.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Protocol

from jobd.budget import ByteBudget
from jobd.store.tables.rows import StoredEvent

PAGE = 200
PAGE_BYTES = 64 << 10
"""A longer event is a page alone."""


class EventLog(Protocol):
    """The store, for the feed."""

    async def list_events(
        self, after_seq: int, job_uid: str | None, limit: int, max_bytes: int
    ) -> list[StoredEvent]:
        """Events after `after_seq`, oldest first; at least one if any exists, more up to `max_bytes`."""
        ...

    async def has_job(self, uid: str) -> bool:
        """False if the job and its events are purged."""
        ...


class Feed:
    """Wakes readers when there are new events for them."""

    def __init__(self, events: EventLog, budget: ByteBudget) -> None:
        self._events = events
        self._budget = budget
        self._waiting: dict[asyncio.Event, str | None] = {}

    def publish(self, events: Iterable[StoredEvent]) -> None:
        """Call after a commit, with its events. Cheap, never waits."""
        if not self._waiting:
            return
        uids = {event.job_uid for event in events}
        for waiter, wanted in self._waiting.items():
            if uids and (wanted is None or wanted in uids):
                waiter.set()

    async def read(
        self, after_seq: int, job_uid: str | None = None, *, follow: bool, quiet_s: float | None = None
    ) -> AsyncIterator[StoredEvent | None]:
        """Yields events after number `after_seq`, of one job or of all, in order, each once; with `follow` also new ones.

        Yields None after each `quiet_s` without an event, for a keep-alive. Ends if the job is purged.
        """
        waiter = asyncio.Event()
        self._waiting[waiter] = job_uid  # before the first read: events published meanwhile wake the reader
        try:
            while True:
                waiter.clear()
                async with self._budget.reserve(PAGE_BYTES, estimated=True) as hold:
                    page = await self._events.list_events(after_seq, job_uid, PAGE, PAGE_BYTES)
                    sizes = [len(event.body) for event in page]
                    # Each event is copied into the frame that carries it, one after the other.
                    hold.resize(sum(sizes) + max(sizes, default=0))
                    for event in page:
                        yield event
                        hold.mark_progress()
                        after_seq = event.seq
                        del event
                    # The reader keeps no event while it waits for the next page: the budget no longer counts this page.
                    del page
                if sizes:
                    continue
                if not follow:
                    return
                try:
                    async with asyncio.timeout(quiet_s):
                        await waiter.wait()
                except TimeoutError:
                    if job_uid is not None and not await self._events.has_job(job_uid):
                        return
                    yield None
        finally:
            del self._waiting[waiter]
