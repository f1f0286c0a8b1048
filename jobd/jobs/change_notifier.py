"""Who waits for news of a job: log followers and waiters, woken after each stored change.

Owns the waiting alone; what is new is read from the store by who was woken, so that no queue can overflow.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


class ChangeNotifier:
    """Wakes the watchers of a job. Belongs to the event loop."""

    def __init__(self) -> None:
        self._events: dict[str, set[asyncio.Event]] = {}

    def notify(self, uid: str) -> None:
        """Wakes all who watch the job."""
        for event in self._events.get(uid, ()):
            event.set()

    @contextmanager
    def watch(self, uid: str) -> Iterator[asyncio.Event]:
        """Gives an event that is set at each change of the job; the watcher clears it before it looks."""
        event = asyncio.Event()
        self._events.setdefault(uid, set()).add(event)
        try:
            yield event
        finally:
            watching = self._events[uid]
            watching.discard(event)
            if not watching:
                del self._events[uid]
