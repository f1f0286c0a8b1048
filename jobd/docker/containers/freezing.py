"""Freezes and thaws workers with the engine's pause.

Source: Docker Engine API, ContainerPause, ContainerUnpause.
"""

from jobd.docker.containers.container_ids import ContainerIds
from jobd.docker.engine import Engine
from jobd.docker.http.errors import Refusal, ServerError, port_error
from jobd.jobs.port.model import JobRef

_NOT_PAUSED = "is not paused"


class Freezing:
    """The workers of one instance on one engine."""

    def __init__(self, engine: Engine, ids: ContainerIds) -> None:
        self._engine = engine
        self._ids = ids

    async def freeze(self, ref: JobRef) -> None:
        """Freezes the worker; see `port.protocols.Freezing`. Raises: RefusedByEngine, EngineUnavailable."""
        container_id = await self._ids.of(ref, "worker")
        if container_id is None:
            return
        try:
            await self._engine.pause(container_id)
        except (Refusal, ServerError) as error:
            # 409: the container is paused already, or does not run.
            if error.status not in (404, 409):
                raise port_error("pause", error) from error

    async def thaw(self, ref: JobRef) -> None:
        """Thaws the worker; see `port.protocols.Freezing`. Raises: RefusedByEngine, EngineUnavailable."""
        container_id = await self._ids.of(ref, "worker")
        if container_id is None:
            return
        try:
            await self._engine.unpause(container_id)
        except (Refusal, ServerError) as error:
            if error.status not in (404, 409) and _NOT_PAUSED not in error.message:
                raise port_error("pause", error) from error
