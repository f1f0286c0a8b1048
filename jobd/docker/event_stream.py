"""The engine's events as hints, over successive connections.

Owns these connections, and reads the missed events after a reconnect. `exits.py` and `inspection.py` interpret the events.

Source: Docker Engine API, SystemEvents.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager

import msgspec

from jobd.docker.containers.exits.exits import ContainerExits
from jobd.docker.engine import Engine
from jobd.docker.engine_time import engine_time
from jobd.docker.http.errors import Refusal
from jobd.docker.http.http_session import Body
from jobd.docker.mapping import inspection, labels
from jobd.docker.mapping.inspection import EngineEvent
from jobd.jobs.port.errors import EngineUnavailable
from jobd.jobs.port.hints import Connected, Disconnected, Hint

_EVENT_BYTES = 1024 * 1024
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 1.0
"""If the engine stops again before jobd has subscribed to its events, jobd cannot tell that the stop ended a worker."""


class Events:
    """The events of one instance's containers on one engine."""

    def __init__(
        self, engine: Engine, instance: str, exits: ContainerExits, on_end: Callable[[str], None]
    ) -> None:
        self._engine = engine
        self._instance = instance
        self._exits = exits
        self._on_end = on_end
        """Called with the id of each container that has ended, sandboxes included."""
        self._left_at: int | None = None
        """When the event stream was last lost, by the engine's clock."""

    async def hints(self) -> AsyncGenerator[Hint, None]:
        """Yields hints for ever; see `port.protocols.HintStream`. Never raises EngineUnavailable."""
        pause_s = _FIRST_PAUSE_S
        while True:
            try:
                async for hint in self._events():
                    pause_s = _FIRST_PAUSE_S
                    yield hint
            except (EngineUnavailable, Refusal):
                pass  # the next call to the engine raises it; here jobd only reconnects
            self._exits.stream_lost()
            yield Disconnected()
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)

    async def _events(self) -> AsyncIterator[Hint]:
        """Yields the hints of one connection: the events missed since the last connection, then `Connected`, then new events."""
        await self._engine.version(fresh=True)
        now, began = await engine_time(self._engine), time.monotonic()
        if self._left_at is not None:
            # After a restart the engine ends surviving containers before it answers: read those events before any observation.
            async with self._subscribed(since=min(self._left_at, now) - 1, until=now) as missed:
                async for hint in missed:
                    yield hint
        async with self._subscribed(since=now - 1) as news:
            self._exits.stream_back()
            yield Connected()
            try:
                async for hint in news:
                    yield hint
            finally:
                self._left_at = now + int(time.monotonic() - began)

    @asynccontextmanager
    async def _subscribed(self, since: int, until: int | None = None) -> AsyncIterator[AsyncIterator[Hint]]:
        """Yields the hints from `since` to `until`, or without end; both in the engine's whole seconds since 1970."""
        filters = {
            "type": ["container"],
            "event": list(inspection.EVENT_ACTIONS),
            "label": [f"{name}={value}" for name, value in labels.instance_labels(self._instance).items()],
        }
        params = {"filters": msgspec.json.encode(filters).decode(), "since": str(since)}
        if until is not None:
            params["until"] = str(until)
        path = await self._engine.path("/events")
        silence_s = None if until is None else self._engine.timeouts.work_s
        async with self._engine.streams.open("GET", path, params=params, silence_s=silence_s) as body:
            yield self._read(body)

    async def _read(self, body: Body) -> AsyncIterator[Hint]:
        rest = b""
        async for chunk in body.chunks():
            *lines, rest = (rest + chunk).split(b"\n")
            if len(rest) > _EVENT_BYTES:
                raise EngineUnavailable("an event of the engine is too long")
            for line in lines:
                if (hint := self._hint(line)) is not None:
                    yield hint

    def _hint(self, line: bytes) -> Hint | None:
        try:
            event = msgspec.json.decode(line, type=EngineEvent)
        except msgspec.DecodeError:
            return None  # the periodic reconciliation covers a missed event
        hint = self._exits.hint(event)
        if event.type == "container" and event.action == "die":
            self._on_end(event.actor.id)
        return hint
