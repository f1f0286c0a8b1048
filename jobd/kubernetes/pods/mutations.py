"""Requests that change something: a cancelled caller ends after the request that it has sent, so that nothing happens later."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def finished(request: Coroutine[Any, Any, T]) -> T:
    """Returns what a request returns. A cancel is raised after the request's end; the request has its own time limit."""
    task = asyncio.ensure_future(request)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        if not task.cancelled():
            task.exception()
        raise
