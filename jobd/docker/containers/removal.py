"""Taking away what stands under a job's names, and nothing that is not ours.

Owns the order of the calls and the waits for what the engine has under way. Whose a thing is, `labels.py` says; which
of ours are meant, the caller. A container whose start may still be under way is `unstarted.py`'s.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from jobd.docker.containers.own_signals import OwnSignals
from jobd.docker.containers.unconfirmed_volumes import UnconfirmedVolumes
from jobd.docker.engine import Engine
from jobd.docker.http.errors import Refusal
from jobd.docker.mapping import labels
from jobd.docker.mapping.inspection import Inspected
from jobd.jobs.port.errors import EngineUnavailable
from jobd.jobs.port.model import JobRef, Role

Mine = Callable[[labels.Labels | None], bool]
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
        """Returns worker and sidecar as they stand under the job's names, whoever made them."""
        worker, sidecar = await asyncio.gather(
            *(self._engine.inspect_container(labels.container_name(job_id, role)) for role in labels.ROLES)
        )
        return worker, sidecar

    async def destroy(self, ref: JobRef, roles: Sequence[Role], *, volume: bool, mine: Mine) -> None:
        """Kills and removes the containers of `roles`, and removes the volumes where that is wanted, if `mine` says yes to
        their labels. Only for a job or an attempt whose end is on record.

        Raises: EngineUnavailable; RefusedByEngine: something else uses the volume.
        """
        await self._remove(ref, roles, volume, mine, self._destroy_container)

    async def remove_stopped(self, ref: JobRef, *, mine: Mine) -> None:
        """Removes the containers and the volumes if `mine` says yes to their labels, and kills nothing.

        Raises: EngineUnavailable, also where a container runs; RefusedByEngine: something else uses the volume.
        """
        await self._remove(ref, labels.ROLES, True, mine, self._engine.remove_container)

    async def _remove(
        self, ref: JobRef, roles: Sequence[Role], volume: bool, mine: Mine, remove: RemoveContainer
    ) -> None:
        # A create whose answer was lost may still be under way: the removal of a volume that is in use is tried again.
        for pause_s in (*_IN_USE_PAUSES_S, None):
            found = [
                one
                for role, one in zip(labels.ROLES, await self.inspect(ref.id), strict=True)
                if role in roles
            ]
            ids = [one.id for one in found if one is not None and mine(one.config.labels)]
            await asyncio.gather(*(self._container(one, remove) for one in ids))
            try:
                if volume:
                    for name in labels.volume_names(ref.id):
                        await self._volume(name, mine)
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
            # Somebody else's removal is under way.
            await asyncio.sleep(_GONE_PAUSE_S)
        raise EngineUnavailable(f"the removal of container {container_id[:12]} does not end", answered=True)

    async def _volume(self, name: str, mine: Mine) -> None:
        found = await self._engine.volume_labels(name)
        if not mine(found) and not await self.unconfirmed_volumes.has(name, found):
            return
        try:
            await self._engine.remove_volume(name)
            self.unconfirmed_volumes.forget(name)
        except Refusal as error:
            if error.status == 404:
                return
            error.remedy = f"docker ps -a --filter volume={name} shows what uses it"
            raise
