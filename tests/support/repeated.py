"""Calls of the engine port, repeated as jobd repeats them: an engine that is busy may leave an answer out."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from jobd.jobs.port.errors import EngineUnavailable

TRIES = 5
PAUSE_S = 0.3

T = TypeVar("T")


async def repeated(call: Callable[[], Awaitable[T]]) -> T:
    """Returns what `call` returns. After EngineUnavailable the call is safe to repeat; the last error is passed on."""
    for _ in range(TRIES - 1):
        try:
            return await call()
        except EngineUnavailable:
            await asyncio.sleep(PAUSE_S)
    return await call()
