"""The engine port on a Docker Engine: the calls of one job in their order.

Owns that order: `container_spec.py` has the request bodies, `inspection.py` interprets answers, `engine.py` has the calls; output,
events, end causes and file downloads have their own modules. All state is a cache: containers are found again by name.
"""

import os
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, aclosing, nullcontext

from jobd.docker.containers.container_ids import ContainerIds
from jobd.docker.containers.creation import Creation
from jobd.docker.containers.exits.exits import ContainerExits
from jobd.docker.containers.exits.own_signals import OwnSignals
from jobd.docker.containers.freezing import Freezing
from jobd.docker.containers.fresh_workers import FreshWorkers
from jobd.docker.containers.network import Network
from jobd.docker.containers.preparation import Preparation
from jobd.docker.containers.removal import Removal
from jobd.docker.containers.start import Start
from jobd.docker.containers.takeover import TakeoverCreation
from jobd.docker.containers.unstarted import UnstartedRemoval
from jobd.docker.containers.workspace_owners import WorkspaceOwners
from jobd.docker.engine import Engine
from jobd.docker.event_stream import Events
from jobd.docker.files.workspace_tar import open_tar
from jobd.docker.http.endpoint import endpoint
from jobd.docker.http.errors import Refusal
from jobd.docker.http.http_session import Timeouts
from jobd.docker.http.transport import OnCall
from jobd.docker.images.images import Images
from jobd.docker.interactive.execs import Execs
from jobd.docker.interactive.worker_input import WorkerInputs
from jobd.docker.logs.container_output import ContainerOutput
from jobd.docker.mapping import inspection, labels
from jobd.docker.mapping.inspection import Inspected
from jobd.docker.mapping.settings import DockerSettings
from jobd.docker.sandboxes.pool import SandboxPool
from jobd.docker.sizes import Sizes
from jobd.jobs.port.errors import StartFailed
from jobd.jobs.port.hints import Connected, Hint
from jobd.jobs.port.interactive import ExecutedProcess, OutputConnection, ProcessInput
from jobd.jobs.port.model import (
    Command,
    ContainerFacts,
    ContainerState,
    Created,
    DiskUse,
    EndCause,
    EngineFacts,
    JobRef,
    LogBatch,
    LogCursor,
    Observation,
    Role,
    StartFate,
    Unsupported,
    Usage,
    WindowSize,
    WorkOrder,
)
from jobd.jobs.port.protocols import PreparationProgress
from jobd.wire.job import JobSpec
from jobd.wire.report import FAILED_SIGNAL, SUCCEEDED_SIGNAL, SidecarOrder


class DockerOrchestrator:
    """Implements `port.protocols.EnginePort`. Use and `close` an orchestrator within one event loop.

    `on_call(name, seconds, ok)` is called after every control call. `environ` holds `DOCKER_HOST` and related variables.
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
        self._engine = engine
        self._settings = settings
        self._ids = ContainerIds(engine, settings.instance)
        self._own_signals = OwnSignals()
        self._sizes = Sizes(engine, settings)
        self._exits = ContainerExits(engine, settings.instance, self._own_signals, self._sizes.probe)
        self._output = ContainerOutput(engine, self._ids)
        self._inputs = WorkerInputs(engine, self._ids)
        self._execs = Execs(engine, self._ids)
        self._images = Images(engine)
        self._network = Network(engine, settings.instance)
        self._sandboxes = SandboxPool(
            engine,
            settings,
            self._network,
            on_broken=lambda ref: self._exits.network_lost(ref.uid),
            ensure_image=lambda: self._images.ensure_sidecar(settings.sidecar_image),
        )
        self._events = Events(engine, settings.instance, self._exits, self._sandboxes.ended)
        self._removal = Removal(engine, self._own_signals)
        owners = WorkspaceOwners(engine, self._ids)
        self._start = Start(engine, self._ids, self._network, owners)
        self._unstarted = UnstartedRemoval(engine)
        self._freezing = Freezing(engine, self._ids)
        creation = Creation(
            engine, settings, self._images, self._network, self._sandboxes, self._removal, owners
        )
        takeover = TakeoverCreation(engine, settings, self._network, self._removal, owners)
        self._fresh = FreshWorkers()
        self._preparation = Preparation(
            settings.sidecar_image, self._images, creation, takeover, self._ids, self._exits, self._fresh
        )

    async def close(self) -> None:
        """Removes the sandboxes, and the network if no container runs in it; closes the connections and threads."""
        await self._sandboxes.close()
        await self._network.release()
        await self._engine.close()

    async def probe(self) -> EngineFacts:
        """Returns the engine's facts. Raises EngineUnavailable: the engine accepts no new connections; see `port.protocols.Probe`."""
        return await self._sizes.probe()

    def unsupported(self, spec: JobSpec) -> Unsupported | None:
        """Returns None: the spec is made of what a Docker Engine has."""
        return None

    async def usage(self, ref: JobRef) -> Usage | None:
        """Measures the running worker. Raises EngineUnavailable."""
        with self._exits.noting_outages(ref.uid):
            container_id = await self._ids.of(ref, "worker")
            return None if container_id is None else await self._sizes.usage(container_id)

    async def refs(self) -> list[JobRef]:
        """Lists the jobs of this instance that have a container or a volume. Raises EngineUnavailable."""
        return await self._sizes.refs()

    async def disk_use(self) -> DiskUse:
        """Measures the containers and volumes of this instance. Raises EngineUnavailable."""
        return await self._sizes.disk_use()

    async def prepare(self, order: WorkOrder, progress: PreparationProgress) -> Created:
        """Pulls the images, finds, pulls or builds the sidecar image; creates volume, worker and, if requested, sidecar; fills the workspace.

        Adopts this attempt's containers only if one of them has run; otherwise replaces them, since the workspace may be
        incomplete. Removes this instance's stale containers and volumes with the same names.
        Raises: RefusedByEngine, ImageUnavailable, EngineUnavailable; what `progress` raises.
        """
        return await self._preparation.prepare(order, progress)

    async def start_inputs(self, ref: JobRef, order: SidecarOrder) -> None:
        """Starts the sidecar and writes its order, unless the sidecar runs or has run.

        Raises: StartFailed, RefusedByEngine, EngineUnavailable.
        """
        with self._exits.noting_outages(ref.uid):
            await self._start.sidecar(ref, order)

    async def start_worker(self, ref: JobRef) -> ContainerState:
        """Starts the worker, unless the worker runs or has run.

        Raises: StartFailed, also if the worker is gone. EngineUnavailable: the worker may have started.
        """
        with self._exits.noting_outages(ref.uid):
            container_id = self._fresh.pop(ref)
            if container_id is None:
                found = await self._ids.inspect(ref, "worker")
                if found is None:
                    raise StartFailed("the worker container is gone", inspection.NOT_STARTED)
                if not found.never_started:
                    return ContainerState.RUNNING
                container_id = found.id
            await self._start.container(container_id)
            return ContainerState.RUNNING

    async def observe(self, ref: JobRef) -> Observation:
        """Inspects both containers by name, so that a foreign container with that name is detected."""
        with self._exits.noting_outages(ref.uid):
            worker, sidecar = await self._removal.inspect(ref.id)
        return Observation(
            worker=await self._observed(ref, "worker", worker),
            sidecar=await self._observed(ref, "sidecar", sidecar),
        )

    async def _observed(self, ref: JobRef, role: Role, found: Inspected | None) -> ContainerFacts | None:
        facts = None if found is None else inspection.facts(found, ref, self._settings.instance)
        return await self._exits.observed(ref.uid, role, facts)

    async def end_cause(self, ref: JobRef, role: Role, ended: ContainerFacts) -> EndCause:
        """Returns what ended the container; see `port.protocols.Observing`. Raises EngineUnavailable."""
        with self._exits.noting_outages(ref.uid):
            return await self._exits.of(ref.uid, role, ended)

    async def signal(self, ref: JobRef, role: Role, signal: str) -> None:
        """Sends a signal by name. A missing or stopped container is no error."""
        with self._exits.noting_outages(ref.uid):
            container_id = await self._ids.of(ref, role)
            if container_id is None:
                return
            self._own_signals.expect(container_id, signal)
            try:
                await self._engine.kill(container_id, signal)
            except Refusal as error:
                self._own_signals.refused(container_id, signal)
                if error.status not in (404, 409):
                    raise

    async def notify_worker_ended(self, ref: JobRef, succeeded: bool) -> None:
        """Sends the sidecar the signal for the worker's success or failure."""
        await self.signal(ref, "sidecar", SUCCEEDED_SIGNAL if succeeded else FAILED_SIGNAL)

    async def freeze_worker(self, ref: JobRef) -> None:
        """Freezes the worker; see `port.protocols.Freezing`."""
        with self._exits.noting_outages(ref.uid):
            await self._freezing.freeze(ref)

    async def thaw_worker(self, ref: JobRef) -> None:
        """Lets a frozen worker run again; see `port.protocols.Freezing`."""
        with self._exits.noting_outages(ref.uid):
            await self._freezing.thaw(ref)

    async def remove(self, ref: JobRef, role: Role | None = None) -> None:
        """Removes by force the job's containers of all attempts; see `port.protocols.Removal`."""
        roles = labels.ROLES if role is None else (role,)
        self._fresh.pop(ref)
        await self._removal.destroy(
            ref, roles, volume=role is None, label_filter=lambda found: self._is_of(ref, found)
        )
        if role is None:
            self._sandboxes.release(ref.uid)
            self._exits.forget(ref.uid)

    async def remove_stopped(self, ref: JobRef) -> None:
        """Removes the job's containers of all attempts, and kills nothing; see `port.protocols.Preparing`."""
        self._fresh.pop(ref)
        with self._exits.noting_outages(ref.uid):
            await self._removal.remove_stopped(ref, label_filter=lambda found: self._is_of(ref, found))
        self._sandboxes.release(ref.uid)

    async def remove_unstarted(self, ref: JobRef, role: Role, container_id: str) -> StartFate:
        """Removes a container whose start was requested, unless it has run; see `port.protocols.Workers`.

        Raises: EngineUnavailable.
        """
        self._fresh.pop(ref)
        with self._exits.noting_outages(ref.uid):
            fate = await self._unstarted.remove(container_id, ref.attempt)
        if fate.kind != "began":
            self._sandboxes.ended(container_id)
            self._exits.replaced(ref.uid, role)
        return fate

    def release_run(self, ref: JobRef, files_needed: Callable[[], float]) -> None:
        """Frees the job's network sandbox; see `port.protocols.RunRelease`."""
        self._sandboxes.release(ref.uid)

    async def logs(
        self, ref: JobRef, role: Role, cursor: LogCursor, follow: bool
    ) -> AsyncGenerator[LogBatch, None]:
        """Yields the lines after the cursor; see `port.protocols.Logs`."""
        with nullcontext() if follow else self._exits.noting_outages(ref.uid):
            async with aclosing(self._output.logs(ref, role, cursor, follow)) as batches:
                async for batch in batches:
                    yield batch

    def output(self, ref: JobRef) -> AbstractAsyncContextManager[OutputConnection]:
        """Opens a connection to what the worker prints from now on; see `port.protocols.WorkerOutput`."""
        return self._output.output(ref)

    def input(self, ref: JobRef) -> AbstractAsyncContextManager[ProcessInput]:
        """Opens the worker's standard input; see `port.interactive.WorkerInput`."""
        return self._inputs.open(ref)

    async def resize(self, ref: JobRef, size: WindowSize) -> bool:
        """Sets the size of the worker's terminal; see `port.interactive.WorkerInput`."""
        return await self._inputs.resize(ref, size)

    def execute(self, ref: JobRef, command: Command) -> AbstractAsyncContextManager[ExecutedProcess]:
        """Runs a command beside the worker; see `port.interactive.Executing`."""
        return self._execs.execute(ref, command)

    async def hints(self) -> AsyncGenerator[Hint, None]:
        """Yields hints without end; see `port.protocols.HintStream`."""
        async with aclosing(self._events.hints()) as hints:
            async for hint in hints:
                if isinstance(hint, Connected):
                    self._sandboxes.connected()
                yield hint

    def open_tar(self, ref: JobRef, path: str) -> AsyncGenerator[bytes, None]:
        """Streams a file or folder as tar; see `port.protocols.Files`."""
        return open_tar(self._engine, self._ids, ref, path)

    def _is_of(self, ref: JobRef, found: labels.Labels | None) -> bool:
        owner = labels.ref_of(found, self._settings.instance)
        return owner is not None and owner.uid == ref.uid
