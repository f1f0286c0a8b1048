"""Whether the kernel killed a container for its memory limit, where the engine's inspect does not say so.

The kernel's notice and the end of the container reach the engine on two ways. When the notice comes second, inspect says for ever
that the container was not killed for memory, and the engine's `oom` event comes after its `die`.

Source: Docker Engine API, SystemEvents.
"""

import asyncio

import msgspec

from jobd.docker.answers import Refusal
from jobd.docker.engine import Engine
from jobd.jobs.orchestrator import EngineUnavailable

LATE_S = 1.5
"""So long after an end its notice is waited for. Seen on a machine with much to do: 0.3 s."""


async def killed_for_memory(engine: Engine, container_id: str) -> bool:
    """Returns whether the engine has an `oom` event of an ended container, or has one within `LATE_S`. Raises: EngineUnavailable."""
    filters = {"type": ["container"], "container": [container_id], "event": ["oom"]}
    params = {"filters": msgspec.json.encode(filters).decode(), "since": "0"}
    path = await engine.path("/events")
    try:
        async with (
            asyncio.timeout(LATE_S),
            engine.streams.open("GET", path, params=params, silence_s=None) as body,
        ):
            async for chunk in body.chunks():
                if chunk.strip():
                    return True
    except TimeoutError:
        return False  # the engine is silent: there is none
    except Refusal as error:
        raise EngineUnavailable(f"the engine does not tell its events: {error}") from error
    raise EngineUnavailable("the engine ended its events", answered=True)
