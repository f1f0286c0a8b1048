"""Admission: how many jobs run at once, and which job is next. First in, first out.

Owns the order and the limit; `slot.py` says when a job enters and leaves. A job holds its place from its admission to its end, over
also over restarts of jobd (`occupy`). Not thread-safe: the queue belongs to the event loop.
"""

import asyncio
from collections import OrderedDict


class AdmissionQueue:
    """`limit` places; the rest waits in the order of `enter`."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._holders: set[str] = set()
        self._waiting: OrderedDict[str, asyncio.Event] = OrderedDict()

    @property
    def waiting(self) -> int:
        """How many jobs wait."""
        return len(self._waiting)

    @property
    def running(self) -> int:
        """How many jobs hold a place."""
        return len(self._holders)

    def occupy(self, uid: str) -> None:
        """Takes a place for a job that was admitted before a restart, even over the limit."""
        self._holders.add(uid)

    def enter(self, uid: str) -> None:
        """Puts a job at the end of the queue; a job that already waits or holds a place keeps its position."""
        if uid not in self._holders and uid not in self._waiting:
            self._waiting[uid] = asyncio.Event()
            self._admit()

    async def admitted(self, uid: str) -> None:
        """Returns once the job holds a place or has left the queue: the job's state says which."""
        event = self._waiting.get(uid)
        if event is not None:
            await event.wait()

    def leave(self, uid: str) -> None:
        """Releases the job's place, in the queue or among the running jobs. Safe to repeat."""
        event = self._waiting.pop(uid, None)
        if event is not None:
            event.set()
        self._holders.discard(uid)
        self._admit()

    def position(self, uid: str) -> int | None:
        """Returns the job's place in the queue, from 1; None if the job does not wait."""
        if uid not in self._waiting:
            return None
        for position, waiting in enumerate(self._waiting, start=1):
            if waiting == uid:
                return position
        return None

    def _admit(self) -> None:
        while self._waiting and len(self._holders) < self.limit:
            uid, event = self._waiting.popitem(last=False)
            self._holders.add(uid)
            event.set()
