"""Admission: how many jobs run at once, and which job is next. First in, first out.

Owns the order and the limit; `slot.py` says when a job enters and leaves. A job holds its place from its admission to its end,
also over restarts of jobd (`occupy`). Not thread-safe: the queue belongs to the event loop.
"""

import asyncio
from bisect import bisect_left
from collections import OrderedDict


class _Waiting:
    """A job that waits. `ticket`: its number among all jobs that ever waited. `admitted`: ends the wait of its supervisor, if that waits."""

    __slots__ = ("admitted", "ticket")

    def __init__(self, ticket: int) -> None:
        self.ticket = ticket
        self.admitted: asyncio.Future[None] | None = None

    def end(self) -> None:
        if self.admitted is not None and not self.admitted.done():
            self.admitted.set_result(None)


class AdmissionQueue:
    """`limit` places; the rest waits in the order of `enter`."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._holders: set[str] = set()
        self._waiting: OrderedDict[str, _Waiting] = OrderedDict()
        self._tickets: list[int] = []
        """The tickets of the waiting jobs, in order: a job's position is found without a walk over the jobs before it."""
        self._last_ticket = 0

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
            self._last_ticket += 1
            self._waiting[uid] = _Waiting(self._last_ticket)
            self._tickets.append(self._last_ticket)
            self._admit()

    async def admitted(self, uid: str) -> None:
        """Returns once the job holds a place or has left the queue: the job's state says which. One task waits for each job."""
        waiting = self._waiting.get(uid)
        if waiting is not None:
            waiting.admitted = asyncio.get_running_loop().create_future()
            await waiting.admitted

    def leave(self, uid: str) -> None:
        """Releases the job's place, in the queue or among the running jobs. Safe to repeat."""
        waiting = self._waiting.pop(uid, None)
        if waiting is not None:
            del self._tickets[bisect_left(self._tickets, waiting.ticket)]
            waiting.end()
        self._holders.discard(uid)
        self._admit()

    def position(self, uid: str) -> int | None:
        """Returns the job's place in the queue, from 1; None if the job does not wait."""
        waiting = self._waiting.get(uid)
        return None if waiting is None else bisect_left(self._tickets, waiting.ticket) + 1

    def _admit(self) -> None:
        while self._waiting and len(self._holders) < self.limit:
            uid, waiting = self._waiting.popitem(last=False)
            del self._tickets[0]
            self._holders.add(uid)
            waiting.end()
