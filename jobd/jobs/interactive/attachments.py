"""Clients that wait for the start of a worker, so that they miss no byte of its output.

Owns the wait of a start for its first client, and the moment at which the clients attach: between the creation of the containers and
the worker's start. `sessions.py` has the clients, `jobs/run/execution.py` the start.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from jobd.clock import Clock

HOLD_S = 30.0
"""A worker whose spec has `attach` starts without a client after this time."""
ATTACH_LIMIT_S = 2.0
"""The start waits no longer for clients that are attaching."""


class Arrival:
    """A client that waits. `wake` is set when `may_attach` becomes True; the client sets `attached`."""

    def __init__(self, wake: asyncio.Event) -> None:
        self.may_attach = False
        self.attached = asyncio.Event()
        self.wake = wake


class Attachments:
    """The clients that wait, by the uid of their job. Belongs to the event loop."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._arrivals: dict[str, set[Arrival]] = {}
        self._holds: dict[str, asyncio.Event] = {}

    @contextmanager
    def arrive(self, uid: str, wake: asyncio.Event) -> Iterator[Arrival]:
        """Registers a client until it is attached, or leaves."""
        arrival = Arrival(wake)
        self._arrivals.setdefault(uid, set()).add(arrival)
        self.release(uid)
        try:
            yield arrival
        finally:
            arrival.attached.set()
            waiting = self._arrivals[uid]
            waiting.discard(arrival)
            if not waiting:
                del self._arrivals[uid]

    async def hold(self, uid: str, limit_s: float = HOLD_S) -> None:
        """Returns once a client waits, after `release`, or after `limit_s`."""
        if uid in self._arrivals:
            return
        released = self._holds.setdefault(uid, asyncio.Event())
        sleeper = asyncio.ensure_future(self._clock.sleep(limit_s))
        waiter = asyncio.ensure_future(released.wait())
        try:
            await asyncio.wait({sleeper, waiter}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeper.cancel()
            waiter.cancel()
            self._holds.pop(uid, None)

    def release(self, uid: str) -> None:
        """Ends a `hold`, if any: a client has come, or a user wants the job to end."""
        if (released := self._holds.get(uid)) is not None:
            released.set()

    async def admit(self, uid: str) -> None:
        """Lets the waiting clients attach. Returns once they are attached, or after `ATTACH_LIMIT_S`."""
        arrivals = list(self._arrivals.get(uid, ()))
        for arrival in arrivals:
            arrival.may_attach = True
            arrival.wake.set()
        try:
            async with asyncio.timeout(ATTACH_LIMIT_S):
                for arrival in arrivals:
                    await arrival.attached.wait()
        except TimeoutError:
            pass
