"""Whether the kernel killed a container for its memory limit, where the engine's inspect does not say so.

The kernel's notice and the end of the container reach the engine on two ways. When the notice comes second, inspect says for ever
that the container was not killed for memory, and the engine's `oom` event comes after its `die`.

Source: Docker Engine API, SystemEvents.
"""

import asyncio

import msgspec

from jobd.docker.engine import Engine
from jobd.docker.http.errors import Refusal
from jobd.jobs.port.errors import EngineUnavailable

LATE_S = 1.5
"""So long after an end its notice is waited for. Seen on a machine with much to do: 0.3 s."""
AGAIN_S = 0.1


async def killed_for_memory(engine: Engine, container_id: str) -> bool:
    """Returns whether the engine has an `oom` event of an ended container, or has one within `LATE_S`. An engine whose events cannot
    be had in that time has none: the container's end is known all the same, and nothing waits for its cause.
    """
    try:
        async with asyncio.timeout(LATE_S):
            while not await _has_event(engine, container_id):  # noqa: ASYNC110 - nothing else says it
                await asyncio.sleep(AGAIN_S)
    except TimeoutError:
        return False
    return True


async def _has_event(engine: Engine, container_id: str) -> bool:
    """Returns whether the event came before the engine ended its answer, or broke off."""
    filters = {"type": ["container"], "container": [container_id], "event": ["oom"]}
    params = {"filters": msgspec.json.encode(filters).decode(), "since": "0"}
    try:
        path = await engine.path("/events")
        async with engine.streams.open("GET", path, params=params, silence_s=None) as body:
            async for chunk in body.chunks():
                if chunk.strip():
                    return True
    except (Refusal, EngineUnavailable):
        pass
    return False
