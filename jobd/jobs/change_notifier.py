"""Wakes the log followers and waiters of a job after each stored change.

Carries no data: a woken watcher reads the store, so no queue can overflow.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


class ChangeNotifier:
    """Wakes the watchers of a job. Belongs to the event loop."""

    def __init__(self) -> None:
        self._events: dict[str, set[asyncio.Event]] = {}

    def notify(self, uid: str) -> None:
        """Wakes all watchers of the job."""
        for event in self._events.get(uid, ()):
            event.set()

    @contextmanager
    def watch(self, uid: str) -> Iterator[asyncio.Event]:
        """Yields an event that is set at each change of the job; the watcher clears the event before it reads the store."""
        event = asyncio.Event()
        self._events.setdefault(uid, set()).add(event)
        try:
            yield event
        finally:
            watching = self._events[uid]
            watching.discard(event)
            if not watching:
                del self._events[uid]
