"""Whether jobd is alive, and whether it can run jobs now. Owns the checks and their words."""

from collections.abc import Awaitable, Callable

from jobd.jobs.run.engine_monitor import EngineMonitor
from jobd.store.errors import StoreError
from jobd.wire.view import Health

HEALTHY = "healthy"
DISK_FULL = (
    "the disk of the state folder is full: new jobs are refused until there is room; "
    "jobs that run, and deleting, use what was kept for that"
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
        """Tells whether this process works: whether the store answers."""
        return _health({"store": await self._store()})

    async def ready(self) -> Health:
        """Tells whether jobs can be run: store and engine answer, the disk has room, and no shutdown is under way."""
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
    well = all(word == HEALTHY for word in checks.values())
    return Health(status="healthy" if well else "unhealthy", checks=checks)
