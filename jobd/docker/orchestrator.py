"""`jobs.orchestrator.Orchestrator` on a Docker Engine: the calls of one job in their order.

Owns that order and nothing else: bodies are in `spec.py`, meanings in `observe.py`, the Engine behind `engine.py`, logs,
events and files out in `flows.py`. Keeps no state that matters: the ids that it remembers are found again by name.
"""

import asyncio
import os
import secrets
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from jobd.docker import labels, observe, spec
from jobd.docker.answers import Refusal, Trouble
from jobd.docker.attach import Attached, attach_stdin
from jobd.docker.endpoint import endpoint
from jobd.docker.engine import Engine, OnCall
from jobd.docker.flows import Flows
from jobd.docker.images import Images
from jobd.docker.network import Network
from jobd.docker.observe import Inspected
from jobd.docker.settings import DockerSettings
from jobd.docker.streams import Timeouts
from jobd.docker.workspace import Workspace
from jobd.jobs.orchestrator import (
    Created,
    EngineFacts,
    EngineUnavailable,
    ImageFacts,
    ImageUnavailable,
    JobRef,
    Observation,
    RefusedByEngine,
    Role,
    StartFailed,
    WorkOrder,
)
from jobd.wire.job import Pull
from jobd.wire.report import SidecarOrder, encode_order

_REMEMBERED = 4096
_GONE_TRIES = 150
_GONE_PAUSE_S = 0.2
_LOOK_AGAIN_S = 1.0
_IN_USE_PAUSES_S = (0.05, 0.1, 0.2, 0.5)


class DockerOrchestrator(Flows):
    """Implements `jobd.jobs.orchestrator.Orchestrator`. Make it anywhere, use it within one event loop, `close` it there.

    `on_call(name, seconds, ok)` hears of every control call. `environ` is where `DOCKER_HOST` and the like stand.
    """

    def __init__(
        self,
        settings: DockerSettings,
        *,
        environ: Mapping[str, str] | None = None,
        on_call: OnCall | None = None,
        timeouts: Timeouts | None = None,
    ) -> None:
        engine = Engine(endpoint(os.environ if environ is None else environ), timeouts, on_call)
        super().__init__(engine, settings.instance)
        self._settings = settings
        self._images = Images(engine)
        self._network = Network(engine, settings.instance)
        self._workspace = Workspace(engine)
        self._ids: OrderedDict[tuple[JobRef, Role], str] = OrderedDict()

    async def close(self) -> None:
        """Ends the connections and threads."""
        await self._engine.close()

    async def ping(self) -> EngineFacts:
        """Asks the engine who it is. Raises EngineUnavailable."""
        version, info = await asyncio.gather(self._engine.version(fresh=True), self._engine.info())
        return EngineFacts(
            version=version.version,
            api_version=version.spoken,
            cpus=info.cpus,
            memory_bytes=info.mem_total,
            platform=f"{version.os}/{version.arch}",
            details={
                "address": self._engine.endpoint.url,
                "system": info.operating_system,
                "kernel": info.kernel_version,
                "storage": info.driver,
                "cgroup": f"{info.cgroup_driver} v{info.cgroup_version}",
                "runtimes": ", ".join(sorted(info.runtimes)),
                "security": ", ".join(info.security_options or []),
            },
        )

    async def refs(self) -> list[JobRef]:
        """Lists the jobs of this instance of which any container or volume exists."""
        wanted = labels.instance_labels(self._settings.instance)
        containers, volumes = await asyncio.gather(
            self._engine.container_labels(wanted), self._engine.labels_of_volumes(wanted)
        )
        found = (labels.ref_of(entry, self._settings.instance) for entry in [*containers, *volumes])
        return list(dict.fromkeys(ref for ref in found if ref is not None))

    async def ensure_image(
        self, image: str, pull: Pull, platform: str | None, on_progress: Callable[[str], None]
    ) -> ImageFacts:
        """Pulls as the policy says. Raises: ImageUnavailable, EngineUnavailable."""
        return await self._images.ensure(image, pull, platform, on_progress)

    async def ensure_sidecar_image(self) -> None:
        """Finds, pulls or builds the sidecar image. Raises: ImageUnavailable with what to do."""
        await self._images.ensure_sidecar(self._settings.sidecar_image)

    async def create(self, order: WorkOrder, files: Path | None) -> Created:
        """Makes volume, worker and (where wanted) sidecar, and fills the workspace.

        One attempt's containers are taken over only when one of them has run; what was merely made is made anew, since
        nobody knows whether it was filled. Removes stale things of ours under the same names.
        Raises: RefusedByEngine, ImageUnavailable, EngineUnavailable.
        """
        await self._network.ensure()
        making = secrets.token_hex(8)
        try:
            made = await self._make(order, making)
        except _InTheWay:
            if adopted := await self._adopted(order):
                return adopted
            await self._clear(order.ref)
            try:
                made = await self._make(order, making)
            except _InTheWay as error:
                raise EngineUnavailable(f"{error} came back while it was being replaced") from error
        worker_id, sidecar_id, user = made
        uid, gid = await self._workspace.owner(worker_id, user)
        if files is not None or (sidecar_id is None and (uid, gid) != (0, 0)):
            await self._workspace.fill(worker_id, order.spec.workspace, uid, gid, files)
        return Created(worker_id, sidecar_id, uid, gid)

    async def start_sidecar(self, ref: JobRef, order: SidecarOrder) -> None:
        """Attaches, starts, writes the order, closes the input. Does nothing where the sidecar runs or has run.

        Raises: StartFailed, EngineUnavailable.
        """
        found = await self._ours(ref, "sidecar")
        if found is None:
            raise StartFailed("the sidecar container is gone")
        if not found.never_started:
            return
        version = (await self._engine.version()).spoken
        try:
            stdin = await attach_stdin(self._engine.endpoint, self._engine.timeouts, version, found.id)
        except (Refusal, Trouble) as error:
            raise EngineUnavailable(f"cannot attach to the sidecar: {error.message}") from error
        async with stdin:
            await self._start(found.id)
            await self._handed_over(ref, stdin, encode_order(order))

    async def start_worker(self, ref: JobRef) -> None:
        """Starts the worker, once. Raises: StartFailed, EngineUnavailable: whether it started is not known."""
        container_id = self._ids.get((ref, "worker"))
        if container_id is None:
            found = await self._ours(ref, "worker")
            if found is None:
                raise StartFailed("the worker container is gone")
            container_id = found.id
        await self._start(container_id)

    async def observe(self, ref: JobRef) -> Observation:
        """Looks at both containers of this job, by name, so that one that was replaced by hand does not deceive."""
        worker, sidecar = await asyncio.gather(self._inspect(ref, "worker"), self._inspect(ref, "sidecar"))
        return Observation(
            worker=None if worker is None else observe.facts(worker, ref, self._settings.instance),
            sidecar=None if sidecar is None else observe.facts(sidecar, ref, self._settings.instance),
        )

    async def signal(self, ref: JobRef, role: Role, signal: str) -> None:
        """Sends a signal by name. A container that is gone or does not run is no error."""
        found = await self._ours(ref, role)
        if found is None:
            return
        try:
            await self._engine.kill(found.id, signal)
        except Refusal as error:
            if error.status not in (404, 409):
                raise

    async def remove(self, ref: JobRef, role: Role | None = None) -> None:
        """Removes the job's containers of whatever attempt, and with no `role` its volume; absent is fine.

        Raises: EngineUnavailable; RefusedByEngine: something else uses the volume.
        """
        roles = labels.ROLES if role is None else (role,)
        await self._emptied(
            ref, roles, volume=role is None, mine=lambda owner: owner is not None and owner.uid == ref.uid
        )

    async def _make(self, order: WorkOrder, making: str) -> tuple[str, str | None, str]:
        """Makes all that `order` names; returns the containers' ids and the worker's user.

        Raises: _InTheWay: one of the names is taken. What was made by then stays.
        """
        ref, instance = order.ref, self._settings.instance
        volume = labels.volume_name(ref.id)
        found = await self._engine.create_volume(volume, spec.volume_labels(ref, instance, making))
        if found.get(labels.MAKING) != making:
            raise _InTheWay(f"the volume {volume}")
        worker, sidecar, user = await asyncio.gather(
            self._make_container(order, "worker", spec.worker_body(order, self._settings, making)),
            self._make_sidecar(order, making),
            self._user(order),
            return_exceptions=True,
        )
        for result in (worker, sidecar, user):
            if isinstance(result, BaseException):
                raise result
        assert isinstance(worker, str)
        assert isinstance(user, str)
        assert not isinstance(sidecar, BaseException)
        return worker, sidecar, user

    async def _make_sidecar(self, order: WorkOrder, making: str) -> str | None:
        if not order.sidecar:
            return None
        body = spec.sidecar_body(order, self._settings, making)
        try:
            return await self._make_container(order, "sidecar", body)
        except ImageUnavailable:
            # Removed since jobd started: make it again, once.
            await self.ensure_sidecar_image()
            return await self._make_container(order, "sidecar", body)

    async def _make_container(self, order: WorkOrder, role: Role, body: spec.Body) -> str:
        name = labels.container_name(order.ref.id, role)
        platform = order.spec.platform if role == "worker" else None
        try:
            made = await self._engine.create_container(body, name, platform)
        except Refusal as error:
            if error.status == 409:
                raise _InTheWay(f"the container {name}") from error
            if error.status == 404 and "image" in error.message.lower():
                raise ImageUnavailable(error.message) from error
            raise
        self._remember(order.ref, role, made)
        return made

    async def _user(self, order: WorkOrder) -> str:
        if order.spec.user is not None:
            return order.spec.user
        found = await self._engine.inspect_image(order.spec.image)
        if found is None:
            raise ImageUnavailable(f"the image {order.spec.image!r} is gone")
        return found.config.user if found.config else ""

    async def _adopted(self, order: WorkOrder) -> Created | None:
        """Returns this attempt's containers where one of them has run; None where they may be replaced.

        Raises: RefusedByEngine: a name is taken by what is not ours.
        """
        ref = order.ref
        worker, sidecar = await asyncio.gather(self._inspect(ref, "worker"), self._inspect(ref, "sidecar"))
        for role, found in (("worker", worker), ("sidecar", sidecar)):
            if found is not None and not labels.is_ours(found.config.labels, self._settings.instance):
                raise _foreign("container", f"job-{ref.id}-{role}", f"docker rm -f job-{ref.id}-{role}")
        if worker is None or not self._is(worker, ref):
            return None
        mine = sidecar if sidecar is not None and self._is(sidecar, ref) else None
        if worker.never_started and (mine is None or mine.never_started):
            return None
        uid, gid = await self._workspace.owner(worker.id, worker.config.user)
        self._remember(ref, "worker", worker.id)
        return Created(worker.id, None if mine is None else mine.id, uid, gid)

    async def _clear(self, ref: JobRef) -> None:
        """Removes what stands under this job's names, of whatever job and attempt, if it is ours."""
        name = labels.volume_name(ref.id)
        volume = await self._engine.volume_labels(name)
        if volume is not None and not labels.is_ours(volume, self._settings.instance):
            raise _foreign("volume", name, f"docker volume rm {name}")
        await self._emptied(ref, labels.ROLES, volume=True, mine=lambda owner: owner is not None)

    async def _emptied(
        self, ref: JobRef, roles: Sequence[Role], *, volume: bool, mine: Callable[[JobRef | None], bool]
    ) -> None:
        """Removes this job's containers and volume where `mine` says yes to whom their labels name.

        A create whose answer was lost may still be under way: a volume that is in use gets a second look.
        """
        for pause_s in (*_IN_USE_PAUSES_S, None):
            found = await asyncio.gather(*(self._inspect(ref, role) for role in roles))
            ids = [one.id for one in found if one is not None and mine(self._owner(one.config.labels))]
            await asyncio.gather(*(self._remove_by_id(one) for one in ids))
            try:
                if volume:
                    await self._remove_volume(labels.volume_name(ref.id), mine)
                return
            except Refusal as error:
                if error.status != 409 or pause_s is None:
                    raise
            await asyncio.sleep(pause_s)

    async def _start(self, container_id: str) -> None:
        try:
            try:
                await self._engine.start(container_id)
            except Refusal as error:
                if not observe.network_missing(error.status, error.message):
                    raise
                # A plain no, given before anything ran: this one may be asked again.
                self._network.forget()
                await self._network.ensure()
                await self._engine.start(container_id)
        except (Refusal, Trouble) as error:
            raise observe.start_failure(error.status, error.message) from error

    async def _handed_over(self, ref: JobRef, stdin: Attached, order: bytes) -> None:
        """Writes the order; stops where the sidecar ended without reading it, which the engine does not notice."""
        writing = asyncio.ensure_future(stdin.write_all(order))
        try:
            while not (await asyncio.wait([writing], timeout=_LOOK_AGAIN_S))[0]:
                found = await self._ours(ref, "sidecar")
                if found is None or found.state.status in ("exited", "dead"):
                    return
            await writing
        finally:
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)

    async def _inspect(self, ref: JobRef, role: Role) -> Inspected | None:
        return await self._engine.inspect_container(labels.container_name(ref.id, role))

    def _is(self, found: Inspected, ref: JobRef) -> bool:
        return self._owner(found.config.labels) == ref

    async def _remove_by_id(self, container_id: str) -> None:
        for _ in range(_GONE_TRIES):
            try:
                await self._engine.remove_container(container_id)
                return
            except Refusal as error:
                if error.status == 404:
                    return
                if error.status != 409:
                    raise
            # Somebody else's removal is under way.
            await asyncio.sleep(_GONE_PAUSE_S)
        raise EngineUnavailable(f"the removal of container {container_id[:12]} does not end")

    async def _remove_volume(self, name: str, mine: Callable[[JobRef | None], bool]) -> None:
        if not mine(self._owner(await self._engine.volume_labels(name))):
            return
        try:
            await self._engine.remove_volume(name)
        except Refusal as error:
            if error.status == 404:
                return
            error.remedy = f"docker ps -a --filter volume={name} shows what uses it"
            raise

    def _owner(self, found: Mapping[str, str] | None) -> JobRef | None:
        return labels.ref_of(found, self._settings.instance)

    def _remember(self, ref: JobRef, role: Role, container_id: str) -> None:
        self._ids[ref, role] = container_id
        while len(self._ids) > _REMEMBERED:
            self._ids.popitem(last=False)


class _InTheWay(Exception):
    """A name that is needed is taken."""


def _foreign(kind: str, name: str, command: str) -> RefusedByEngine:
    error = RefusedByEngine(f"a {kind} named {name!r} exists and is not this jobd's")
    error.remedy = f"choose another id, or remove it: {command}"
    return error
