"""jobd's liveness and readiness. Owns the checks and their messages."""

from collections.abc import Awaitable, Callable

from jobd.jobs.run.engine_monitor import EngineMonitor
from jobd.store.errors import StoreError
from jobd.wire.view import Health

HEALTHY = "healthy"
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
    ) -> None:
        self._ask_store = ask_store
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
        try:
            await self._ask_store()
        except StoreError as error:
            return str(error)
        return HEALTHY


def _health(checks: dict[str, str]) -> Health:
    is_healthy = all(message == HEALTHY for message in checks.values())
    return Health(status="healthy" if is_healthy else "unhealthy", checks=checks)
