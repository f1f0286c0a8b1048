"""Work for ended jobs that no caller awaits: bounded in number, and ended with jobd. A lost piece of it is done by retention later."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from jobd.jobs.port.errors import EngineError
from jobd.kubernetes.http.errors import ApiError

MOST = 1000

log = logging.getLogger(__name__)


class Background:
    """Tasks of one event loop."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Starts work, unless too much is under way."""
        if len(self._tasks) >= MOST:
            return
        task = asyncio.create_task(self._run(name, work), name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        try:
            await work()
        except (EngineError, ApiError) as error:
            log.info(
                "work for an ended job is left to retention", extra={"action": name, "error": str(error)}
            )

    async def close(self) -> None:
        """Cancels all tasks and waits for them."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
