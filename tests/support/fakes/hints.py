"""Subscribers of the fake engine: readers of hints, and readers of logs that wait for the next line.

Owns their bounded queues. Must not know of jobs.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from jobd.jobs.port.hints import Connected, Disconnected, Hint

MAX_HINTS = 256
"""The size of a reader's queue, like the engine's own buffer; when full, the oldest hints are lost."""


class Hints:
    """The readers of one engine. Belongs to one event loop."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Event] = set()
        self._listeners: set[_Listener] = set()

    def send(self, hint: Hint) -> None:
        """Sends a hint to all readers."""
        for listener in self._listeners:
            listener.hints.append(hint)
            del listener.hints[:-MAX_HINTS]
        self.wake()

    def interrupt(self) -> None:
        """Breaks the streams of all readers, which reconnect at once."""
        for listener in self._listeners:
            listener.interrupted = True
        self.wake()

    def wake(self) -> None:
        """Wakes all readers after a change."""
        for news in self._waiting:
            news.set()
        for listener in self._listeners:
            listener.news.set()

    @contextmanager
    def waiting(self) -> Iterator[asyncio.Event]:
        """Yields an event that is set at each change."""
        news = asyncio.Event()
        self._waiting.add(news)
        try:
            yield news
        finally:
            self._waiting.discard(news)

    async def listen(self, is_away: Callable[[], bool]) -> AsyncGenerator[Hint, None]:
        """Yields `Connected` first and after each outage, `Disconnected` at each outage, and all hints."""
        listener = _Listener()
        self._listeners.add(listener)
        connected: bool | None = None
        try:
            while True:
                listener.news.clear()
                if is_away():
                    listener.hints.clear()
                    if connected is not False:
                        connected = False
                        yield Disconnected()
                        continue
                elif not connected:
                    connected = True
                    yield Connected()
                    continue
                elif listener.interrupted:
                    listener.interrupted = connected = False
                    yield Disconnected()
                    continue
                elif listener.hints:
                    yield listener.hints.pop(0)
                    continue
                await listener.news.wait()
        finally:
            self._listeners.discard(listener)


@dataclass(eq=False, slots=True)
class _Listener:
    """One reader of hints."""

    hints: list[Hint] = field(default_factory=list)
    interrupted: bool = False
    news: asyncio.Event = field(default_factory=asyncio.Event)
