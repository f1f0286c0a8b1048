"""jobd's liveness and readiness. Owns the checks and their messages."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from jobd.jobs.run.engine_monitor import EngineMonitor
from jobd.store.errors import StoreError
from jobd.wire.views.daemon import Health

HEALTHY = "healthy"
STORE_ANSWER_S = 1.0
"""For so long an answer of the store holds, so that many probes cost few reads."""
DISK_FULL = (
    "the disk of the state folder is full: jobd refuses new jobs until there is free space; "
    "running jobs and deletes use the reserved space"
)


class HealthCheck:
    """`stopping` is set at shutdown: from then on jobd is not ready."""

    def __init__(
        self,
        ask_store: Callable[[], Awaitable[object]],
        has_room: Callable[[], Awaitable[bool]],
        engine: EngineMonitor,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._now = now
        self._answer, self._answered_at = "", float("-inf")
        self._ask_store = ask_store
        self._asking = asyncio.Lock()
        self._has_room = has_room
        self._engine = engine
        self.stopping = False

    async def live(self) -> Health:
        """Returns whether this process works: the store answers."""
        return _health({"store": await self._store()})

    async def ready(self) -> Health:
        """Returns whether jobs can run: store and engine answer, the disk has space, and jobd is not stopping."""
        return _health(
            {
                "store": await self._store(),
                "disk": HEALTHY if await self._has_room() else DISK_FULL,
                "engine": f"unreachable: {self._engine.trouble}" if self._engine.trouble else HEALTHY,
                "shutdown": "stopping" if self.stopping else HEALTHY,
            }
        )

    async def _store(self) -> str:
        async with self._asking:  # probes that come together share one read
            if self._now() - self._answered_at >= STORE_ANSWER_S:
                try:
                    await self._ask_store()
                except StoreError as error:
                    self._answer = str(error)
                else:
                    self._answer = HEALTHY
                self._answered_at = self._now()
            return self._answer


def _health(checks: dict[str, str]) -> Health:
    is_healthy = all(message == HEALTHY for message in checks.values())
    return Health(status="healthy" if is_healthy else "unhealthy", checks=checks)
