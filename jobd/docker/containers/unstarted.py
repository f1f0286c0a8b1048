"""Removes a container whose start request got no answer, and detects a start that arrives late.

Owns the order of calls in which no start is missed.

The engine holds a container's lock during a start, from the first check to the `start` event, and during a removal. A removal
without force therefore comes before a start, which the engine then refuses, or after a start: the engine refuses to remove a running
container. A container may still start and end between inspection and removal. The engine's event buffer shows that start: the
buffer drops the oldest events first, so if the buffer holds an event from before the inspection, it holds every later event.

An engine that is killed during a start does not store that the container ran: its next process shows the container as never started,
though its command may have run. Only the process that created the container therefore knows that the container has not run.

Source: Docker Engine API, ContainerUpdate, ContainerDelete, SystemEvents.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace

import msgspec

from jobd.docker.containers.exits.uptime import Uptime
from jobd.docker.engine import Engine
from jobd.docker.http.errors import Refusal
from jobd.docker.mapping import inspection
from jobd.docker.mapping.inspection import EngineEvent
from jobd.jobs.port.errors import EngineUnavailable
from jobd.jobs.port.model import StartFate

_REMEMBERED = 4096
_EVENTS_BYTES = 1024 * 1024


class UnstartedRemoval:
    """Removes containers of one engine that have never run."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._uptime = Uptime(engine)
        self._marked: OrderedDict[str, None] = OrderedDict()
        """Containers that an inspection after their `update` event showed as never started, by the engine process that created them."""

    async def remove(self, container_id: str, attempt: int) -> StartFate:
        """Removes the container unless it has run, and returns whether its start happened. Safe to repeat.

        Raises: EngineUnavailable.
        """
        if await self._has_run(container_id):
            return StartFate("began")
        try:
            await self._engine.touch_container(container_id)
        except Refusal:
            pass  # the container is gone or being removed
        else:
            # This inspection follows the `update` event: a later start has its event after that one.
            if await self._has_run(container_id):
                return StartFate("began")
            is_short = len(container_id) <= inspection.LONGEST_ID
            if is_short and await self._uptime.covers_creation(container_id):
                self._marked[container_id] = None
            while len(self._marked) > _REMEMBERED:
                self._marked.popitem(last=False)
        try:
            await self._engine.remove_container(container_id)
        except Refusal as error:
            if error.status != 404:
                if error.status == 409 and await self._has_run(container_id):
                    return StartFate("began")
                raise EngineUnavailable(
                    f"the engine refused to remove a container: {error.message}", answered=True
                ) from error
        return fate(await self._events(container_id), attempt, container_id in self._marked)

    async def _has_run(self, container_id: str) -> bool:
        found = await self._engine.inspect_container(container_id)
        return found is not None and inspection.parse_timestamp(found.state.started_at) is not None

    async def _events(self, container_id: str) -> list[EngineEvent]:
        """Returns this container's events in the engine's buffer, up to the `destroy` event or a time limit."""
        filters = msgspec.json.encode({"type": ["container"], "container": [container_id]}).decode()
        path = await self._engine.path("/events")
        events: list[EngineEvent] = []
        rest, size = b"", 0
        try:
            async with (
                asyncio.timeout(self._engine.timeouts.connect_s),
                self._engine.streams.open(
                    "GET", path, params={"filters": filters, "since": "0"}, silence_s=None
                ) as body,
            ):
                async for chunk in body.chunks():
                    size += len(chunk)
                    *lines, rest = (rest + chunk).split(b"\n")
                    events += [msgspec.json.decode(line, type=EngineEvent) for line in lines if line]
                    if size > _EVENTS_BYTES or any(event.action == "destroy" for event in events):
                        break
        except TimeoutError:
            pass  # the buffer has dropped the `destroy` event
        except (Refusal, msgspec.MsgspecError) as error:
            raise EngineUnavailable(f"cannot read the engine's events: {error}") from error
        return events


def fate(events: Sequence[EngineEvent], attempt: int, marked: bool) -> StartFate:
    """Returns from a removed container's events whether its start happened. Pure.

    `marked`: the container had not run after its last `update` event, and the events are those of the process that created it.
    """
    started = next((event for event in events if event.action == "start"), None)
    died = next((event for event in reversed(events) if event.action == "die"), None)
    if started is not None:
        began = inspection.facts_of_event(started, attempt)
        end = None if died is None else inspection.facts_of_event(died, attempt)
        if began is None or end is None:
            return StartFate("unknown")
        return StartFate("began", replace(end, started_at=began.started_at))
    actions = {event.action for event in events}
    whole = "destroy" in actions and ("create" in actions or (marked and "update" in actions))
    return StartFate("never" if whole else "unknown")
