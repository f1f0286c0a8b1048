"""The engine port on a Kubernetes cluster: the calls of one job in their order.

Owns that order: `mapping/pod.py` has the Pod's body, `mapping/facts.py` interprets a Pod, `pods/` has the calls before, at and after a
start; logs, hints and files have their own modules. All state is a cache: Pods are found again by their names and labels.
"""

import asyncio
import os
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, aclosing

from jobd.clock import Clock, SystemClock
from jobd.jobs.port.errors import RefusedByEngine
from jobd.jobs.port.hints import Hint
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
from jobd.kubernetes.background import Background
from jobd.kubernetes.files.handover import Handover
from jobd.kubernetes.files.workspace import Workspace
from jobd.kubernetes.http.client import Client, OnCall
from jobd.kubernetes.http.kubeconfig import access
from jobd.kubernetes.interactive.execs import Execs
from jobd.kubernetes.interactive.unattached import NoInput, NoOutput
from jobd.kubernetes.logs.reading import LogReading
from jobd.kubernetes.mapping.labels import selector_of_instance
from jobd.kubernetes.mapping.settings import KubernetesSettings
from jobd.kubernetes.mapping.unsupported import unsupported
from jobd.kubernetes.pods.api import PodApi, ref_of, translated
from jobd.kubernetes.pods.ends import Ends
from jobd.kubernetes.pods.observing import Observing
from jobd.kubernetes.pods.preparation import Preparation
from jobd.kubernetes.pods.removal import Removal
from jobd.kubernetes.pods.start import Start
from jobd.kubernetes.pods.stopping import Stopping
from jobd.kubernetes.probe import Probe
from jobd.kubernetes.watch.changes import Changes
from jobd.kubernetes.watch.state import WatchState
from jobd.kubernetes.watch.stream import Watch
from jobd.wire.job import JobSpec
from jobd.wire.report import SidecarOrder

LOOK_S = 5.0
"""How often jobd looks whether a job that is over still has to keep its files."""


class KubernetesOrchestrator:
    """Implements `port.protocols.EnginePort`. Use and `close` an orchestrator within one event loop.

    `on_call(name, seconds, ok)` is called after every control call. `environ` holds `KUBECONFIG` and related variables.
    Raises: RefusedByEngine: no cluster is named, or its kubeconfig is incomplete.
    """

    def __init__(
        self,
        settings: KubernetesSettings,
        *,
        context: str = "",
        namespace: str = "",
        environ: Mapping[str, str] | None = None,
        on_call: OnCall | None = None,
        clock: Clock | None = None,
    ) -> None:
        clock = clock or SystemClock()
        environ = os.environ if environ is None else environ
        self._client = Client(access(environ, context=context, namespace=namespace), clock, on_call)
        self._api = api = PodApi(self._client, settings.instance)
        state, changes = WatchState(settings.instance), Changes()
        self._removal = Removal(api, clock, Ends(), state.expect)
        self._workspace = Workspace(api)
        handover = Handover(api, self._workspace)
        self._preparation = Preparation(
            api, settings, self._removal, self._workspace, handover, changes, clock
        )
        self._start = Start(api)
        self._stopping = Stopping(api, self._start, self._removal)
        self._observing = Observing(api, clock)
        self._logs = LogReading(api, self._start, changes)
        self._execs = Execs(api, self._start)
        self._watch = Watch(api, state, changes, clock)
        self._probe = Probe(self._client, clock)
        self._background = Background()

    async def close(self) -> None:
        """Ends the work for ended jobs, and all connections."""
        await self._background.close()
        await self._client.close()

    def unsupported(self, spec: JobSpec) -> Unsupported | None:
        """Returns the first thing in the spec that has no place in a Pod."""
        return unsupported(spec)

    async def probe(self) -> EngineFacts:
        """Returns the cluster's facts. Raises EngineUnavailable."""
        return await self._probe.probe()

    async def usage(self, ref: JobRef) -> Usage | None:
        """Returns None: a container's use is no part of the API that jobd may ask."""
        return None

    async def refs(self) -> list[JobRef]:
        """Lists the attempts that have a Pod. Raises EngineUnavailable."""
        with translated():
            pods, _ = await self._api.listed(selector_of_instance(self._api.instance))
        found = (ref_of(pod, self._api.instance) for pod in pods)
        return [ref for ref in found if ref is not None]

    async def disk_use(self) -> DiskUse:
        """Counts the Pods and their workspaces; Kubernetes reports no sizes. Raises EngineUnavailable."""
        count = len(await self.refs())
        return DiskUse(count, 0, count, 0)

    async def prepare(self, order: WorkOrder, progress: PreparationProgress) -> Created:
        """Creates the Pod, and waits for its sidecar if it has one; see `port.protocols.Preparing`."""
        return await self._preparation.prepare(order, progress)

    async def start_inputs(self, ref: JobRef, order: SidecarOrder) -> None:
        """Sends the sidecar its order, once; see `port.protocols.Preparing`."""
        await self._start.inputs(ref, order)

    async def start_worker(self, ref: JobRef) -> ContainerState:
        """Lets the kubelet start the worker; see `port.protocols.Workers`."""
        return await self._start.worker(ref)

    async def observe(self, ref: JobRef) -> Observation:
        """Reads the job's Pod; see `port.protocols.Observing`."""
        return await self._observing.observe(ref)

    async def end_cause(self, ref: JobRef, role: Role, ended: ContainerFacts) -> EndCause:
        """Returns the cause in the facts: a Pod's status has all that the cluster knows."""
        return ended.cause or EndCause.UNKNOWN

    async def signal(self, ref: JobRef, role: Role, signal: str) -> None:
        """Ends a container; see `port.protocols.Signals`."""
        await self._stopping.signal(ref, role, signal)

    async def notify_worker_ended(self, ref: JobRef, succeeded: bool) -> None:
        """Tells the sidecar how the worker has ended; see `port.protocols.Workers`."""
        await self._stopping.notify_worker_ended(ref, succeeded=succeeded)

    async def freeze_worker(self, ref: JobRef) -> None:
        """Raises RefusedByEngine if the worker runs: Kubernetes cannot freeze a container."""
        worker = (await self._observing.observe(ref)).worker
        if worker is not None and worker.state is ContainerState.RUNNING:
            raise RefusedByEngine("Kubernetes cannot freeze a container")

    async def thaw_worker(self, ref: JobRef) -> None:
        """Does nothing: no worker is frozen."""

    async def remove(self, ref: JobRef, role: Role | None = None) -> None:
        """Removes the job's Pods by force. A container alone cannot be removed: a worker takes its Pod with it, and a sidecar, which holds
        nothing of other jobs, stays for the job's files until `release_run` ends it.
        """
        if role == "sidecar":
            return
        await self._removal.remove(ref)

    async def remove_stopped(self, ref: JobRef) -> None:
        """Removes the job's Pods and kills nothing; see `port.protocols.Preparing`."""
        await self._removal.remove_stopped(ref)

    async def remove_unstarted(self, ref: JobRef, role: Role, container_id: str) -> StartFate:
        """Removes a Pod whose worker has not run; see `port.protocols.Workers`."""
        return await self._removal.remove_unstarted(ref, role, container_id)

    def release_run(self, ref: JobRef, files_needed: Callable[[], float]) -> None:
        """Frees the cluster of what the ended job no longer needs; see `port.protocols.RunRelease`."""

        async def release() -> None:
            await self._removal.release(ref)
            while True:
                needed_s = files_needed()
                if needed_s <= 0:
                    break
                await asyncio.sleep(min(needed_s, LOOK_S))
            await self._stopping.end_sidecar(ref)

        self._background.start(f"release {ref.uid}", release)

    async def logs(
        self, ref: JobRef, role: Role, cursor: LogCursor, follow: bool
    ) -> AsyncGenerator[LogBatch, None]:
        """Yields the lines after the cursor; see `port.protocols.Logs`."""
        async with aclosing(self._logs.logs(ref, role, cursor, follow)) as batches:
            async for batch in batches:
                yield batch

    def output(self, ref: JobRef) -> AbstractAsyncContextManager[OutputConnection]:
        """Raises ContainerGone on entry: readers get each line when it ends."""
        return NoOutput()

    def input(self, ref: JobRef) -> AbstractAsyncContextManager[ProcessInput]:
        """Raises on entry: a job that asks for an input is refused at its submission."""
        return NoInput()

    async def resize(self, ref: JobRef, size: WindowSize) -> bool:
        """Returns False: no worker has a terminal."""
        return False

    def execute(self, ref: JobRef, command: Command) -> AbstractAsyncContextManager[ExecutedProcess]:
        """Runs a command beside the worker; see `port.interactive.Executing`."""
        return self._execs.execute(ref, command)

    async def hints(self) -> AsyncGenerator[Hint, None]:
        """Yields hints without end; see `port.protocols.HintStream`."""
        async with aclosing(self._watch.hints()) as hints:
            async for hint in hints:
                yield hint

    async def open_tar(self, ref: JobRef, path: str) -> AsyncGenerator[bytes, None]:
        """Streams a file or folder as tar; see `port.protocols.Files`."""
        async with aclosing(self._workspace.open_tar(ref, path)) as chunks:
            async for chunk in chunks:
                yield chunk
