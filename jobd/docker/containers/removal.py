"""Removes the containers and volumes with a job's names, and no foreign ones.

Owns the order of the calls and the retries while the engine is busy with the same object. The caller selects by labels.
`unstarted.py` removes a container whose start may still be in progress.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from jobd.docker.containers.exits.own_signals import OwnSignals
from jobd.docker.containers.unconfirmed_volumes import UnconfirmedVolumes
from jobd.docker.engine import Engine
from jobd.docker.http.errors import Refusal
from jobd.docker.mapping import labels
from jobd.docker.mapping.inspection import Inspected
from jobd.jobs.port.errors import EngineUnavailable
from jobd.jobs.port.model import JobRef, Role

LabelFilter = Callable[[labels.Labels | None], bool]
RemoveContainer = Callable[[str], Awaitable[None]]
RUNNING = ("running", "paused", "restarting")

_GONE_TRIES = 150
_GONE_PAUSE_S = 0.2
_IN_USE_PAUSES_S = (0.05, 0.1, 0.2, 0.5)


class Removal:
    """Removes containers and volumes of one engine."""

    def __init__(self, engine: Engine, own_signals: OwnSignals) -> None:
        self._engine = engine
        self._own_signals = own_signals
        self.unconfirmed_volumes = UnconfirmedVolumes(engine)

    async def inspect(self, job_id: str) -> tuple[Inspected | None, Inspected | None]:
        """Returns the containers with the names of worker and sidecar, foreign ones too."""
        worker, sidecar = await asyncio.gather(
            *(self._engine.inspect_container(labels.container_name(job_id, role)) for role in labels.ROLES)
        )
        return worker, sidecar

    async def destroy(
        self, ref: JobRef, roles: Sequence[Role], *, volume: bool, label_filter: LabelFilter
    ) -> None:
        """Kills and removes the containers of `roles` and, with `volume`, removes the volumes, if `label_filter` accepts their labels.
        Only for a job or an attempt whose end is stored.

        Raises: EngineUnavailable; RefusedByEngine: another container uses the volume.
        """
        await self._remove(ref, roles, volume, label_filter, self._destroy_container)

    async def remove_stopped(self, ref: JobRef, *, label_filter: LabelFilter) -> None:
        """Removes the containers and the volumes if `label_filter` accepts their labels, and kills nothing.

        Raises: EngineUnavailable, also if a container runs; RefusedByEngine: another container uses the volume.
        """
        await self._remove(ref, labels.ROLES, True, label_filter, self._engine.remove_container)

    async def _remove(
        self,
        ref: JobRef,
        roles: Sequence[Role],
        volume: bool,
        label_filter: LabelFilter,
        remove: RemoveContainer,
    ) -> None:
        # A create whose answer was lost may still be in progress: the removal of a volume in use is retried.
        for pause_s in (*_IN_USE_PAUSES_S, None):
            found = [
                one
                for role, one in zip(labels.ROLES, await self.inspect(ref.id), strict=True)
                if role in roles
            ]
            ids = [one.id for one in found if one is not None and label_filter(one.config.labels)]
            await asyncio.gather(*(self._container(one, remove) for one in ids))
            try:
                if volume:
                    for name in labels.volume_names(ref.id):
                        await self._volume(name, label_filter)
                return
            except Refusal as error:
                if error.status != 409 or pause_s is None:
                    raise
            await asyncio.sleep(pause_s)

    async def _destroy_container(self, container_id: str) -> None:
        self._own_signals.expect(container_id, "SIGKILL")
        await self._engine.destroy_container(container_id)

    async def _container(self, container_id: str, remove: RemoveContainer) -> None:
        for _ in range(_GONE_TRIES):
            try:
                await remove(container_id)
                return
            except Refusal as error:
                if error.status == 404:
                    return
                if error.status != 409:
                    raise
            found = await self._engine.inspect_container(container_id)
            if found is not None and found.state.status in RUNNING and remove != self._destroy_container:
                raise EngineUnavailable(f"container {container_id[:12]} still runs", answered=True)
            # Another removal of this container is in progress.
            await asyncio.sleep(_GONE_PAUSE_S)
        raise EngineUnavailable(f"container {container_id[:12]} is still being removed", answered=True)

    async def _volume(self, name: str, label_filter: LabelFilter) -> None:
        found = await self._engine.volume_labels(name)
        if not label_filter(found) and not await self.unconfirmed_volumes.has(name, found):
            return
        try:
            await self._engine.remove_volume(name)
            self.unconfirmed_volumes.forget(name)
        except Refusal as error:
            if error.status == 404:
                return
            error.remedy = f"docker ps -a --filter volume={name} lists the containers that use the volume"
            raise
