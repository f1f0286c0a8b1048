"""`jobs.orchestrator.Orchestrator` on a Docker Engine: the calls of one job in their order.

Owns that order and nothing else: bodies are in `container_spec.py`, meanings in `inspection.py`, the Engine behind `engine.py`, logs,
events and files out in `streams.py`. Keeps no state that matters: what it remembers is found again by name.
"""

import asyncio
import os
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path

from jobd.docker.containers.creation import Creation
from jobd.docker.containers.memory_kills import killed_for_memory
from jobd.docker.containers.network import Network
from jobd.docker.containers.removal import Removal
from jobd.docker.containers.unstarted import UnstartedRemoval
from jobd.docker.containers.uptime import Uptime
from jobd.docker.engine import Engine
from jobd.docker.http.attach import Attached, attach_stdin
from jobd.docker.http.endpoint import endpoint
from jobd.docker.http.errors import Refusal, Trouble, meant
from jobd.docker.http.http_session import Timeouts
from jobd.docker.http.probe import is_answering
from jobd.docker.http.transport import OnCall
from jobd.docker.images.images import Images
from jobd.docker.mapping import inspection, labels
from jobd.docker.mapping.settings import DockerSettings
from jobd.docker.streams import Streams
from jobd.jobs.orchestrator import (
    ContainerFacts,
    Created,
    DiskUse,
    EngineFacts,
    EngineUnavailable,
    ImageFacts,
    JobRef,
    Observation,
    Role,
    StartFailed,
    StartFate,
    Usage,
    WorkOrder,
)
from jobd.wire.job import Pull
from jobd.wire.report import SidecarOrder, encode_order

_REMEMBERED = 4096
_LOOK_AGAIN_S = 1.0


class DockerOrchestrator(Streams):
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
        self._removal = Removal(engine)
        self._unstarted = UnstartedRemoval(engine)
        self._uptime = Uptime(engine)
        self._creation = Creation(engine, settings, self._images, self._network, self._removal)
        self._fresh: OrderedDict[JobRef, str] = OrderedDict()
        """Workers that this process made and has not started: their start needs no look before it."""

    async def close(self) -> None:
        """Removes the network where no job runs in it, and ends the connections and threads."""
        await self._network.release()
        await self._engine.close()

    async def ping(self) -> EngineFacts:
        """Asks the engine who it is. Raises EngineUnavailable, also where it is being stopped and answers whom it knows alone."""
        version, info, sidecar = await asyncio.gather(
            self._engine.version(fresh=True),
            self._engine.info(),
            self._engine.inspect_image(self._settings.sidecar_image),
        )
        if not await is_answering(self._engine.endpoint, self._engine.timeouts.connect_s):
            raise EngineUnavailable(f"{self._engine.endpoint.url} takes no new connections")
        return EngineFacts(
            version=version.version,
            api_version=version.spoken,
            cpus=info.cpus,
            memory_bytes=info.mem_total,
            platform=f"{version.os}/{version.arch}",
            has_sidecar_image=sidecar is not None,
            details={
                "address": self._engine.endpoint.url,
                "system": info.operating_system,
                "kernel": info.kernel_version,
                "storage": info.driver,
                "cgroup": f"{info.cgroup_driver} v{info.cgroup_version}",
                "runtimes": ", ".join(sorted(info.runtimes or {})),
                "security": ", ".join(info.security_options or []),
            },
        )

    async def usage(self, ref: JobRef) -> Usage | None:
        """Measures the running worker. Raises EngineUnavailable."""
        container_id = await self._id_of(ref, "worker")
        if container_id is None:
            return None
        try:
            stats = await self._engine.stats(container_id)
        except Refusal:
            return None
        memory = max(stats.memory_stats.usage, stats.memory_stats.max_usage)
        if not memory:
            return None
        return Usage(stats.cpu_stats.cpu_usage.total_usage / 1e9, memory)

    async def was_up_throughout(self, container: ContainerFacts) -> bool | None:
        """Tells whether the engine has been up from before an ended container's start; see `jobs.orchestrator.Engine`."""
        return await self._uptime.spans(container.id)

    async def killed_for_memory(self, container: ContainerFacts) -> bool:
        """Tells whether an ended container has an `oom` event; see `jobs.orchestrator.Engine`."""
        return await killed_for_memory(self._engine, container.id)

    async def refs(self) -> list[JobRef]:
        """Lists the jobs of this instance of which any container or volume exists."""
        wanted = labels.instance_labels(self._settings.instance)
        containers, volumes = await asyncio.gather(
            self._engine.container_labels(wanted), self._engine.labels_of_volumes(wanted)
        )
        found = (labels.ref_of(entry, self._settings.instance) for entry in [*containers, *volumes])
        return list(dict.fromkeys(ref for ref in found if ref is not None))

    async def disk_use(self) -> DiskUse:
        """Measures the containers and volumes of this instance. Raises EngineUnavailable."""
        usage = await self._engine.disk_usage()
        instance = self._settings.instance
        containers = [one for one in usage.containers or [] if labels.is_ours(one.labels, instance)]
        volumes = [one for one in usage.volumes or [] if labels.is_ours(one.labels, instance)]
        return DiskUse(
            containers=len(containers),
            container_bytes=sum(max(0, one.size_rw) for one in containers),
            volumes=len(volumes),
            volume_bytes=sum(max(0, one.usage_data.size) for one in volumes if one.usage_data),
        )

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
        made, is_new = await self._creation.create(order, files)
        self._fresh.pop(order.ref, None)
        if is_new and len(made.worker_id) <= inspection.LONGEST_ID:
            self._fresh[order.ref] = made.worker_id
        self._remember(order.ref, "worker", made.worker_id)
        if made.sidecar_id is not None:
            self._remember(order.ref, "sidecar", made.sidecar_id)
        while len(self._fresh) > _REMEMBERED:
            self._fresh.popitem(last=False)
        return made

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
            raise meant("look", error) from error
        async with stdin:
            await self._start(found.id)
            await self._handed_over(ref, stdin, encode_order(order))

    async def start_worker(self, ref: JobRef) -> None:
        """Starts the worker, once: one that runs or has run is left alone.

        Raises: StartFailed, also where it is gone. EngineUnavailable: whether it started is not known.
        """
        container_id = self._fresh.pop(ref, None)
        if container_id is None:
            found = await self._ours(ref, "worker")
            if found is None:
                raise StartFailed("the worker container is gone")
            if not found.never_started:
                return
            container_id = found.id
        await self._start(container_id)

    async def observe(self, ref: JobRef) -> Observation:
        """Looks at both containers of this job, by name, so that one that was replaced by hand does not deceive."""
        worker, sidecar = await self._removal.inspect(ref.id)
        return Observation(
            worker=None if worker is None else inspection.facts(worker, ref, self._settings.instance),
            sidecar=None if sidecar is None else inspection.facts(sidecar, ref, self._settings.instance),
        )

    async def signal(self, ref: JobRef, role: Role, signal: str) -> None:
        """Sends a signal by name. A container that is gone or does not run is no error."""
        container_id = await self._id_of(ref, role)
        if container_id is None:
            return
        try:
            await self._engine.kill(container_id, signal)
        except Refusal as error:
            if error.status not in (404, 409):
                raise

    async def remove(self, ref: JobRef, role: Role | None = None) -> None:
        """Removes by force the job's containers of whatever attempt, and with no `role` its volume; absent is fine.

        Raises: EngineUnavailable; RefusedByEngine: something else uses the volume.
        """
        roles = labels.ROLES if role is None else (role,)
        self._fresh.pop(ref, None)
        await self._removal.destroy(
            ref, roles, volume=role is None, mine=lambda found: self._is_of(ref, found)
        )

    async def remove_stopped(self, ref: JobRef) -> None:
        """Removes the job's containers of whatever attempt and its volume, and kills nothing; absent is fine.

        Raises: EngineUnavailable, also where a container runs; RefusedByEngine: something else uses the volume.
        """
        self._fresh.pop(ref, None)
        await self._removal.remove_stopped(ref, mine=lambda found: self._is_of(ref, found))

    async def remove_unstarted(self, ref: JobRef, role: Role, container_id: str) -> StartFate:
        """Removes a container whose start was asked for, unless it has run; see `jobs.orchestrator.Removal`.

        Raises: EngineUnavailable.
        """
        self._fresh.pop(ref, None)
        return await self._unstarted.remove(container_id, ref.attempt)

    def _is_of(self, ref: JobRef, found: labels.Labels | None) -> bool:
        owner = labels.ref_of(found, self._settings.instance)
        return owner is not None and owner.uid == ref.uid

    async def _start(self, container_id: str, workspace: str = "") -> None:
        try:
            try:
                await self._engine.start(container_id)
            except Refusal as error:
                if not inspection.network_missing(error.status, error.message):
                    raise
                # A plain no, given before anything ran: this one may be asked again.
                self._network.forget()
                await self._network.ensure()
                await self._engine.start(container_id)
        except (Refusal, Trouble) as error:
            failure = meant("start", error, workspace=workspace)
            if (
                isinstance(error, Trouble)
                and isinstance(failure, StartFailed)
                and failure.exit_code == inspection.NOT_STARTED
                and not await is_answering(self._engine.endpoint)
            ):
                failure = EngineUnavailable(f"the engine is being stopped: {error.message}")
            raise failure from error

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
