"""Making a job's volume, worker and sidecar, and what to do with what is in the way.

Owns the order of the calls, the fast way and the slow one. Bodies are in `container_spec.py`.

The fast way asks nothing first: the volume carries a random label, which tells a fresh volume from an older one, and a name
that is taken is the engine's 409. What stands under the names is inspected only then.
"""

import asyncio
import secrets
from pathlib import Path

from jobd.docker.containers.network import Network
from jobd.docker.containers.removal import Removal
from jobd.docker.engine import Engine
from jobd.docker.files.workspace import Workspace
from jobd.docker.http.errors import Refusal, Trouble, meant
from jobd.docker.images.images import Images
from jobd.docker.mapping import container_spec, labels
from jobd.docker.mapping.settings import DockerSettings
from jobd.jobs.port.errors import EngineUnavailable, ImageUnavailable, RefusedByEngine
from jobd.jobs.port.model import Created, JobRef, Role, WorkOrder


class Creation:
    """Makes jobs on one engine for one instance of jobd."""

    def __init__(
        self, engine: Engine, settings: DockerSettings, images: Images, network: Network, removal: Removal
    ) -> None:
        self._engine = engine
        self._settings = settings
        self._images = images
        self._network = network
        self._removal = removal
        self._workspace = Workspace(engine)

    async def create(self, order: WorkOrder, files: Path | None) -> tuple[Created, bool]:
        """Makes all that `order` names, or takes over what has run; see `port.protocols.Containers.create`.

        Returns whether the containers are new as well: what was taken over may have run.
        Raises: RefusedByEngine, ImageUnavailable, EngineUnavailable.
        """
        await self._network.ensure()
        making = secrets.token_hex(8)
        try:
            made = await self._make(order, making)
        except _InTheWay:
            if adopted := await self._adopted(order, making):
                return adopted, False
            await self._make_room(order.ref)
            try:
                made = await self._make(order, making)
            except _InTheWay as error:
                what = f"{error} came back while it was being replaced"
                raise EngineUnavailable(what, answered=True) from error
        worker_id, sidecar_id, user = made
        uid, gid = await self._workspace.owner(worker_id, user)
        # A sidecar hands the workspace over by itself.
        if files is not None or (sidecar_id is None and (uid, gid) != (0, 0)):
            # A read-only worker always has a sidecar, which hands over the folder.
            await self._workspace.fill(
                worker_id, order.spec.workspace, uid, gid, files, inside=order.spec.read_only
            )
        return Created(worker_id, sidecar_id, uid, gid), True

    async def _make(self, order: WorkOrder, making: str) -> tuple[str, str | None, str]:
        """Makes volume and containers; returns the containers' ids and the worker's user.

        Raises: _InTheWay: one of the names is taken. What was made by then stays.
        """
        ref, instance = order.ref, self._settings.instance
        volume = labels.volume_name(ref.id)
        named = container_spec.volume_labels(ref, instance, making)
        found = await self._removal.unconfirmed_volumes.create(volume, named)
        if found.get(labels.MAKING) != making:
            raise _InTheWay(f"the volume {volume}")
        if order.spec.secrets:
            volume = labels.secrets_name(ref.id)
            found = await self._removal.unconfirmed_volumes.create(
                volume, named, container_spec.SECRETS_OPTIONS
            )
            if found.get(labels.MAKING) != making:
                raise _InTheWay(f"the volume {volume}")
        # All three to their end, whatever becomes of one: what is made must not appear after a clean-up.
        worker, sidecar, user = await asyncio.gather(
            self._make_container(order, "worker", container_spec.worker_body(order, self._settings, making)),
            self._make_sidecar(order, making),
            self._user(order),
            return_exceptions=True,
        )
        if isinstance(worker, BaseException):
            raise worker
        if isinstance(sidecar, BaseException):
            raise sidecar
        if isinstance(user, BaseException):
            raise user
        return worker, sidecar, user

    async def _make_sidecar(self, order: WorkOrder, making: str) -> str | None:
        if not order.sidecar:
            return None
        body = container_spec.sidecar_body(order, self._settings, making)
        try:
            return await self._make_container(order, "sidecar", body)
        except ImageUnavailable:
            # Removed since jobd started: make it again, once.
            await self._images.ensure_sidecar(self._settings.sidecar_image)
            return await self._make_container(order, "sidecar", body)

    async def _make_container(self, order: WorkOrder, role: Role, body: container_spec.Body) -> str:
        name = labels.container_name(order.ref.id, role)
        platform = order.spec.platform if role == "worker" else None
        try:
            return await self._engine.create_container(body, name, platform)
        except Refusal as error:
            if error.status == 409:
                raise _InTheWay(f"the container {name}") from error
            raise meant("create", error, workspace=order.spec.workspace) from error
        except Trouble as error:
            raise meant("create", error, workspace=order.spec.workspace) from error

    async def _user(self, order: WorkOrder) -> str:
        if order.spec.user is not None:
            return order.spec.user
        if order.image_user is not None:
            return order.image_user
        found = await self._engine.inspect_image(order.spec.image)
        if found is None:
            raise ImageUnavailable(f"the image {order.spec.image!r} is gone")
        return found.config.user if found.config else ""

    async def _adopted(self, order: WorkOrder, making: str) -> Created | None:
        """Returns this attempt's containers where one of them has run; None where what is there may be replaced.

        A worker that is missing beside a sidecar that has run is made: the workspace holds its inputs already.
        Raises: RefusedByEngine: a name is taken by what is not ours.
        """
        ref = order.ref
        worker, sidecar = await self._removal.inspect(ref.id)
        for role, found in zip(labels.ROLES, (worker, sidecar), strict=True):
            if found is not None and not self._is_ours(found.config.labels):
                name = labels.container_name(ref.id, role)
                raise _foreign("container", name, f"docker rm -f {name}")
        for name in labels.volume_names(ref.id):
            volume = await self._engine.volume_labels(name)
            if (
                volume is not None
                and not self._is_ours(volume)
                and not await self._removal.unconfirmed_volumes.has(name, volume)
            ):
                raise _foreign("volume", name, f"docker volume rm {name}")
        mine = sidecar if sidecar is not None and self._is_of(sidecar.config.labels, ref) else None
        if worker is None and mine is not None and not mine.never_started:
            body = container_spec.worker_body(order, self._settings, making)
            made = await self._make_container(order, "worker", body)
            uid, gid = await self._workspace.owner(made, await self._user(order))
            return Created(made, mine.id, uid, gid)
        if worker is None or not self._is_of(worker.config.labels, ref):
            return None
        if worker.never_started and (mine is None or mine.never_started):
            return None
        uid, gid = await self._workspace.owner(worker.id, worker.config.user)
        return Created(worker.id, None if mine is None else mine.id, uid, gid)

    async def _make_room(self, ref: JobRef) -> None:
        """Removes what stands under the job's names.

        What is of another job or attempt is over, and goes by force. What is of this one has not run, and if it runs now, stays.
        """
        stale = [
            role
            for role, found in zip(labels.ROLES, await self._removal.inspect(ref.id), strict=True)
            if found is not None and not self._is_of(found.config.labels, ref)
        ]
        await self._removal.destroy(ref, stale, volume=False, mine=lambda found: self._is_stale(found, ref))
        await self._removal.remove_stopped(ref, mine=self._is_ours)

    def _is_stale(self, found: labels.Labels | None, ref: JobRef) -> bool:
        return self._is_ours(found) and not self._is_of(found, ref)

    def _is_ours(self, found: labels.Labels | None) -> bool:
        return labels.is_ours(found, self._settings.instance)

    def _is_of(self, found: labels.Labels | None, ref: JobRef) -> bool:
        return labels.ref_of(found, self._settings.instance) == ref


class _InTheWay(Exception):
    """A name that is needed is taken."""


def _foreign(kind: str, name: str, command: str) -> RefusedByEngine:
    error = RefusedByEngine(f"a {kind} named {name!r} exists and is not this jobd's")
    error.remedy = f"choose another id, or remove it: {command}"
    return error
