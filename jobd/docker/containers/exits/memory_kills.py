"""Whether the kernel's OOM killer ended a container whose inspect has `OOMKilled` false.

The OOM notification and the container's exit reach the engine separately. If the notification comes second, `OOMKilled` stays
false, and the engine's `oom` event follows the `die` event.

Source: Docker Engine API, SystemEvents.
"""

import asyncio

import msgspec

from jobd.docker.engine import Engine
from jobd.docker.http.errors import Refusal
from jobd.jobs.port.errors import EngineUnavailable

LATE_S = 1.5
"""How long jobd waits for the `oom` event after an end. Measured on a loaded machine: 0.3 s."""
AGAIN_S = 0.1


async def killed_for_memory(engine: Engine, container_id: str) -> bool:
    """Returns whether the engine has, within `LATE_S`, an `oom` event of an ended container. If the events cannot be read in that
    time, returns False.
    """
    try:
        async with asyncio.timeout(LATE_S):
            while not await _has_event(engine, container_id):  # noqa: ASYNC110 - nothing else says it
                await asyncio.sleep(AGAIN_S)
    except TimeoutError:
        return False
    return True


async def _has_event(engine: Engine, container_id: str) -> bool:
    """Returns whether the event came before the answer ended or the connection broke."""
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
