"""Creates a job's volume, worker and sidecar, and handles names that are already taken.

Owns the order of the calls. Request bodies are in `container_spec.py`.

The first try inspects nothing: a random label on the volume tells a new volume from an existing one, and for a container's name
that is taken the engine answers 409. Only then are the existing containers and volumes inspected.
"""

import asyncio
import secrets
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from jobd.docker.containers.network import Network
from jobd.docker.containers.removal import Removal
from jobd.docker.containers.workspace_owners import WorkspaceOwners
from jobd.docker.engine import Engine
from jobd.docker.files.workspace import Workspace
from jobd.docker.http.errors import Refusal, ServerError, port_error
from jobd.docker.images.images import Images
from jobd.docker.mapping import container_spec, labels
from jobd.docker.mapping.container_options import Body
from jobd.docker.mapping.settings import DockerSettings
from jobd.docker.sandboxes.pool import SandboxPool
from jobd.jobs.port.errors import (
    EngineError,
    EngineUnavailable,
    ImageUnavailable,
    RefusedByEngine,
    WorkspaceGone,
)
from jobd.jobs.port.model import Created, JobRef, Role, WorkOrder

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Making:
    """One try of a creation. `label`: the random text on its volumes. `sandbox_id`: the container whose network new containers join.
    `init`: the engine has an init for containers.
    """

    order: WorkOrder
    image_user: str | None
    sandbox_id: str | None
    label: str
    init: bool

    def worker_body(self, settings: DockerSettings) -> Body:
        return container_spec.worker_body(self.order, settings, self.label, self.sandbox_id, init=self.init)


class Creation:
    """Creates containers on one engine for one instance of jobd."""

    def __init__(
        self,
        engine: Engine,
        settings: DockerSettings,
        images: Images,
        network: Network,
        sandboxes: SandboxPool,
        removal: Removal,
        owners: WorkspaceOwners,
    ) -> None:
        self._engine = engine
        self._settings = settings
        self._images = images
        self._network = network
        self._sandboxes = sandboxes
        self._removal = removal
        self._owners = owners
        self._workspace = Workspace(engine)

    async def create(self, order: WorkOrder, image_user: str | None) -> tuple[Created, bool]:
        """Creates what `order` names and fills the workspace, or adopts containers that have run; see `port.protocols.Preparing`.
        `image_user`: the image's `USER`, if known already.

        Returns also whether the containers are new: adopted containers may have run.
        Raises: RefusedByEngine, ImageUnavailable, EngineUnavailable.
        """
        sandbox_id = await self._sandboxes.lease(order.ref, order.spec)
        try:
            making = _Making(order, image_user, sandbox_id, secrets.token_hex(8), self._engine.has_init)
            made = await self._create(making)
        except EngineUnavailable:
            raise  # the containers may exist, and join the sandbox
        except EngineError:
            self._sandboxes.release(order.ref.uid)
            raise
        created = made[0]
        self._sandboxes.joined(
            order.ref, [one for one in (created.worker_id, created.sidecar_id) if one is not None]
        )
        return made

    async def _create(self, making: _Making) -> tuple[Created, bool]:
        order = making.order
        await self._network.ensure()
        try:
            created = await completed(self._make(making))
        except _NameTaken:
            if adopted := await completed(self._adopted(making)):
                return adopted, False
            await self._remove_stale(order.ref)
            try:
                created = await completed(self._make(making))
            except _NameTaken as error:
                what = f"{error} was created again while jobd replaced it"
                raise EngineUnavailable(what, answered=True) from error
        worker_id, sidecar_id, user = created
        uid, gid = await self._owners.resolve(order.ref, worker_id, user)
        # A sidecar changes the workspace's owner itself; a read-only worker always has a sidecar.
        if order.files is not None or (sidecar_id is None and (uid, gid) != (0, 0)):
            await self._workspace.fill(
                worker_id, order.spec.workspace, uid, gid, order.files, inside=order.spec.read_only
            )
        return Created(worker_id, sidecar_id), True

    async def _make(self, making: _Making) -> tuple[str, str | None, str]:
        """Creates volume and containers; returns the containers' ids and the worker's user.

        Raises: _NameTaken: a name is taken. What was created before stays.
        """
        order, ref, instance = making.order, making.order.ref, self._settings.instance
        volume = labels.volume_name(ref.id)
        named = container_spec.volume_labels(ref, instance, making.label)
        found = await self._removal.unconfirmed_volumes.create(volume, named)
        if found.get(labels.MAKING) != making.label:
            raise _NameTaken(f"the volume {volume}")
        if order.spec.secrets:
            volume = labels.secrets_name(ref.id)
            found = await self._removal.unconfirmed_volumes.create(
                volume, named, container_spec.SECRETS_OPTIONS
            )
            if found.get(labels.MAKING) != making.label:
                raise _NameTaken(f"the volume {volume}")
        await self._check_sources(making)
        # All three run to their end even if one fails: no container may appear after a clean-up.
        worker, sidecar, user = await asyncio.gather(
            self._make_container(order, "worker", making.worker_body(self._settings)),
            self._make_sidecar(making),
            self._user(making),
            return_exceptions=True,
        )
        if isinstance(worker, BaseException):
            raise worker
        if isinstance(sidecar, BaseException):
            raise sidecar
        if isinstance(user, BaseException):
            raise user
        await self._check_sources(making)  # a volume that was removed meanwhile exists again, empty
        return worker, sidecar, user

    async def _check_sources(self, making: _Making) -> None:
        """Raises WorkspaceGone if the volume of a source does not exist, belongs to another job, or was created by this try."""
        for name, ref in making.order.sources.items():
            found = await self._engine.volume_labels(labels.volume_name(ref.id))
            owner = labels.ref_of(found, self._settings.instance)
            is_new = found is not None and found.get(labels.MAKING) == making.label
            if owner is None or owner.uid != ref.uid or is_new:
                raise WorkspaceGone(f"the workspace of job {name!r}, which the job's inputs need, is gone")

    async def _make_sidecar(self, making: _Making) -> str | None:
        order = making.order
        if not order.sidecar:
            return None
        body = container_spec.sidecar_body(order, self._settings, making.label, making.sandbox_id)
        try:
            return await self._make_container(order, "sidecar", body)
        except ImageUnavailable:
            # The image was removed after jobd's start: build it again, once.
            await self._images.ensure_sidecar(self._settings.sidecar_image)
            return await self._make_container(order, "sidecar", body)

    async def _make_container(self, order: WorkOrder, role: Role, body: Body) -> str:
        name = labels.container_name(order.ref.id, role)
        platform = order.spec.platform if role == "worker" else None
        try:
            return await self._engine.create_container(body, name, platform)
        except Refusal as error:
            if error.status == 409:
                raise _NameTaken(f"the container {name}") from error
            raise port_error("create", error, workspace=order.spec.workspace) from error
        except ServerError as error:
            raise port_error("create", error, workspace=order.spec.workspace) from error

    async def _user(self, making: _Making) -> str:
        spec = making.order.spec
        if spec.user is not None:
            return spec.user
        if making.image_user is not None:
            return making.image_user
        found = await self._engine.inspect_image(spec.image)
        if found is None:
            raise ImageUnavailable(f"the image {spec.image!r} is gone")
        return found.config.user if found.config else ""

    async def _adopted(self, making: _Making) -> Created | None:
        """Returns this attempt's containers if one of them has run; None: the existing containers may be replaced.

        If the sidecar has run and the worker is missing, creates the worker: the workspace holds the inputs.
        Raises: RefusedByEngine: a foreign container or volume has the name.
        """
        order, ref = making.order, making.order.ref
        worker, sidecar = await self._removal.inspect(ref.id)
        for role, found in zip(labels.ROLES, (worker, sidecar), strict=True):
            if found is not None and not self._is_owned(found.config.labels):
                name = labels.container_name(ref.id, role)
                raise _foreign("container", name, f"docker rm -f {name}")
        for name in labels.volume_names(ref.id):
            volume = await self._engine.volume_labels(name)
            if (
                volume is not None
                and not self._is_owned(volume)
                and not await self._removal.unconfirmed_volumes.has(name, volume)
            ):
                raise _foreign("volume", name, f"docker volume rm {name}")
        own_sidecar = sidecar if sidecar is not None and self._is_of(sidecar.config.labels, ref) else None
        if worker is None and own_sidecar is not None and not own_sidecar.never_started:
            created = await self._make_container(order, "worker", making.worker_body(self._settings))
            return Created(created, own_sidecar.id)
        if worker is None or not self._is_of(worker.config.labels, ref):
            return None
        if worker.never_started and (own_sidecar is None or own_sidecar.never_started):
            return None
        return Created(worker.id, None if own_sidecar is None else own_sidecar.id)

    async def _remove_stale(self, ref: JobRef) -> None:
        """Removes the containers and volumes with the job's names.

        Containers of another job or attempt are removed by force. A container of this attempt is removed only if it does not run.
        """
        stale = [
            role
            for role, found in zip(labels.ROLES, await self._removal.inspect(ref.id), strict=True)
            if found is not None and not self._is_of(found.config.labels, ref)
        ]
        await self._removal.destroy(
            ref, stale, volume=False, label_filter=lambda found: self._is_stale(found, ref)
        )
        await self._removal.remove_stopped(ref, label_filter=self._is_owned)

    def _is_stale(self, found: labels.Labels | None, ref: JobRef) -> bool:
        return self._is_owned(found) and not self._is_of(found, ref)

    def _is_owned(self, found: labels.Labels | None) -> bool:
        return labels.is_owned(found, self._settings.instance)

    def _is_of(self, found: labels.Labels | None, ref: JobRef) -> bool:
        return labels.ref_of(found, self._settings.instance) == ref


class _NameTaken(Exception):
    """The name of a container or volume is taken."""


async def completed(work: Coroutine[Any, Any, T]) -> T:
    """Returns what `work` returns. A cancelled caller waits for the end of `work`: no container appears after that."""
    task = asyncio.create_task(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        if not task.cancelled():
            task.exception()  # a cancelled caller does not retrieve the exception
        raise


def _foreign(kind: str, name: str, command: str) -> RefusedByEngine:
    error = RefusedByEngine(f"a {kind} named {name!r} exists, and this jobd did not create it")
    error.remedy = f"choose another job id, or run: {command}"
    return error
