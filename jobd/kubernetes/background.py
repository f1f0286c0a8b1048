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
    """Tasks of one event loop, by name."""

    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def start(self, name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Starts work, unless work of this name or too much is under way."""
        if name in self._tasks or len(self._tasks) >= MOST:
            return
        task = asyncio.create_task(self._run(name, work), name=name)
        self._tasks[name] = task
        task.add_done_callback(lambda _: self._tasks.pop(name, None))

    async def _run(self, name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        try:
            await work()
        except (EngineError, ApiError) as error:
            fields = {"action": name, "error": str(error)}
            log.info("work for an ended job is left to retention", extra=fields)

    async def close(self) -> None:
        """Cancels all tasks and waits for them."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
