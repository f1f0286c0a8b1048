"""A container engine in memory: implements all of `jobs.port.protocols.EnginePort` and passes its contract suite.

Owns the answers to calls; those before a start are in `preparation.py`. `controls.py` has the faults (missing images, refused or lost calls, an unavailable engine), `world.py` the
containers, `worker.py` and `sidecar.py` their scripts. Executes nothing and reads no file but the tar of an order. Must not know
of the store, of HTTP or of Docker.
"""

import signal as signals
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager

from jobd.jobs.port.errors import (
    ContainerGone,
    EngineUnavailable,
    FilesNotKept,
    LogUnreadable,
    NoSuchFile,
    RefusedByEngine,
    StartFailed,
)
from jobd.jobs.port.hints import Hint
from jobd.jobs.port.model import (
    Command,
    ContainerFacts,
    ContainerState,
    DiskUse,
    EndCause,
    EngineFacts,
    JobRef,
    LogBatch,
    LogCursor,
    Observation,
    Role,
    StartFate,
    Usage,
    WindowSize,
)
from jobd.wire.report import SidecarOrder
from tests.support.fakes.interactive import FakeInput, FakeProcess
from tests.support.fakes.preparation import FakePreparation
from tests.support.fakes.printed import FakeOutput, printed
from tests.support.fakes.worker import WorkerScript
from tests.support.fakes.workspace import below, packed

_TAR_CHUNK = 64 * 1024


class FakeOrchestrator(FakePreparation):
    """The fake engine: answers every call of the port by the state in `Controls`."""

    # --- Engine

    async def probe(self) -> EngineFacts:
        """Returns `facts`, which tests may replace."""
        self._here()
        return self.facts

    async def usage(self, ref: JobRef) -> Usage | None:
        """Returns a minimal measurement."""
        self._here()
        job = self._world.find(ref)
        running = job is not None and job.worker is not None and job.worker.running
        return Usage(0.0, 1) if running else None

    async def refs(self) -> list[JobRef]:
        """Lists the existing jobs."""
        self._here()
        return [job.ref for job in self._world.jobs.values()]

    async def disk_use(self) -> DiskUse:
        """Counts the existing containers and volumes, of size 0."""
        self._here()
        jobs = list(self._world.jobs.values())
        boxes = [box for job in jobs for box in (job.worker, job.sidecar) if box is not None]
        return DiskUse(len(boxes), 0, len(jobs), 0)

    # --- Lifecycle

    async def start_inputs(self, ref: JobRef, order: SidecarOrder) -> None:
        """Starts the sidecar with its order, unless it runs or has run."""
        self._here()
        job = self._world.find(ref)
        if job is None or job.sidecar is None:
            raise StartFailed("the sidecar container is gone")
        if job.sidecar.facts.started_at is None:
            self._world.start_sidecar(job, job.sidecar, order, self._sidecar_script(ref.id))

    async def start_worker(self, ref: JobRef) -> ContainerState:
        """Starts the worker, unless it runs or has run; with `starts_later` set, `carry_out_start` does."""
        self._here("start_worker")
        job = self._world.find(ref)
        if job is None or job.worker is None:
            raise StartFailed("the worker container is gone")
        if job.worker.facts.started_at is not None:
            return ContainerState.RUNNING
        if self.starts_later:
            return self._begin_start(job.worker)
        if self.lose_start == "before":
            raise EngineUnavailable("the answer was lost")
        if self.lose_start == "late":
            self._late.append((job.ref, job.worker.facts.id))
            raise EngineUnavailable("the answer was lost")
        self._start(job, job.worker)
        if self.lose_start == "after":
            raise EngineUnavailable("the answer was lost")
        return ContainerState.RUNNING

    async def observe(self, ref: JobRef) -> Observation:
        """Observes this job's containers, of any attempt."""
        self._here("observe")
        job = self._world.jobs.get(ref.id)
        if job is None or job.ref.uid != ref.uid:
            return Observation(None, None)
        return Observation(
            job.worker.facts if job.worker else None, job.sidecar.facts if job.sidecar else None
        )

    async def end_cause(self, ref: JobRef, role: Role, ended: ContainerFacts) -> EndCause:
        """Returns the cause in the facts, or a cause that only the engine's events have."""
        self._here()
        if ended.id in self._world.stopped_with_engine:
            return EndCause.ENGINE_STOPPED
        if ended.id in self._world.late_memory_kills:
            return EndCause.OUT_OF_MEMORY
        return ended.cause or EndCause.UNKNOWN

    async def signal(self, ref: JobRef, role: Role, signal: str) -> None:
        """SIGKILL ends; another signal ends a worker that has an init and does not ignore the signal."""
        self._here("signal")
        job = self._world.find(ref)
        box = job.of(role) if job is not None else None
        if job is None or box is None or not box.running:
            return
        if signal == "SIGKILL":
            self._world.end(job, role, box, 137, EndCause.SIGNAL)
        elif (
            role == "worker"
            and job.spec.init  # a process 1 without a handler ignores the signal
            and not box.facts.frozen  # a frozen process handles no signal
            and not self.workers.get(ref.id, WorkerScript()).ignores_sigterm
        ):
            code = 128 + signals.Signals[signal].value
            self._world.end(job, role, box, code, EndCause.SIGNAL)

    async def freeze_worker(self, ref: JobRef) -> None:
        """Freezes a running worker, unless `refuse_freeze`."""
        self._here("freeze_worker")
        job = self._world.find(ref)
        if job is not None and job.worker is not None and job.worker.running:
            if self.refuse_freeze is not None:
                raise RefusedByEngine(self.refuse_freeze)
            self._world.freeze(job.worker)

    async def thaw_worker(self, ref: JobRef) -> None:
        """Lets a frozen worker run again."""
        self._here("thaw_worker")
        job = self._world.find(ref)
        if job is not None and job.worker is not None and job.worker.facts.frozen:
            if self.refuse_thaw is not None:
                raise RefusedByEngine(self.refuse_thaw)
            self._world.thaw(job.worker)

    async def notify_worker_ended(self, ref: JobRef, succeeded: bool) -> None:
        """Lets the sidecar transfer its outputs, once."""
        self._here("notify_worker_ended")
        job = self._world.find(ref)
        if job is not None and job.sidecar is not None and job.sidecar.running:
            self._world.notify_sidecar(job, job.sidecar, succeeded)

    async def remove(self, ref: JobRef, role: Role | None = None) -> None:
        """Removes this job's containers, and without a role its volume."""
        self._here("remove")
        job = self._world.of_uid(ref)
        if job is None:
            return
        if role is None:
            self._check_unmounted(ref)
        if role is not None:
            self._world.drop(job, role)
        else:
            self._world.remove(job)

    async def remove_stopped(self, ref: JobRef) -> None:
        """Removes this job's containers and its volume, unless a container runs."""
        self._here()
        job = self._world.jobs.get(ref.id)
        if job is None or job.ref.uid != ref.uid:
            return
        if any(box is not None and box.running for box in (job.worker, job.sidecar)):
            raise EngineUnavailable("a container still runs")
        self._check_unmounted(ref)
        self._world.remove(job)

    def _check_unmounted(self, ref: JobRef) -> None:
        users = [
            job.ref.id
            for job in self._world.jobs.values()
            if job.sidecar is not None and any(source.uid == ref.uid for source in job.sources.values())
        ]
        if users:
            raise RefusedByEngine(f"the workspace of job {ref.id} is in use by job {users[0]}")

    def release_run(self, ref: JobRef, files_needed: Callable[[], float]) -> None:
        """Notes that the job's run is over."""
        self._world.released.add(ref.uid)

    async def remove_unstarted(self, ref: JobRef, role: Role, container_id: str) -> StartFate:
        """Removes a container that has not run, and keeps its last state by id."""
        self._here()
        job = self._world.find(ref)
        box = job.of(role) if job is not None else None
        if job is not None and box is not None and box.facts.id == container_id:
            if box.facts.started_at is not None:
                return StartFate("began")
            self.before_removal()
            if box.running:
                return StartFate("began")
            self._world.drop(job, role)
        return self._world.fate(container_id)

    # --- Streams

    async def logs(
        self, ref: JobRef, role: Role, cursor: LogCursor, follow: bool
    ) -> AsyncGenerator[LogBatch, None]:
        """Yields the lines after the cursor; with `follow` also new lines until the end."""
        self._here()
        job = self._world.find(ref)
        box = job.of(role) if job is not None else None
        if box is None:
            raise ContainerGone(f"the {role} of job {ref.id} does not exist")
        if role in self.unreadable_logs:
            raise LogUnreadable("the fake engine cannot give the log")
        async with aclosing(printed(box, cursor, follow, self._hints, self._here)) as batches:
            async for batch in batches:
                yield batch

    @asynccontextmanager
    async def output(self, ref: JobRef) -> AsyncIterator[FakeOutput]:
        """Opens a connection to the worker's output until its end."""
        self._here()
        job = self._world.find(ref)
        if job is None or job.worker is None:
            raise ContainerGone(f"the worker of job {ref.id} does not exist")
        if job.worker.facts.frozen:
            raise ContainerGone(f"the worker of job {ref.id} is frozen")
        yield FakeOutput(job.worker, self._hints, self._here)

    @asynccontextmanager
    async def input(self, ref: JobRef) -> AsyncIterator[FakeInput]:
        """Opens the worker's input."""
        self._here("input")
        job = self._world.find(ref)
        if job is None or job.worker is None:
            raise ContainerGone(f"the worker of job {ref.id} does not exist")
        if job.worker.facts.frozen:
            raise RefusedByEngine(f"the worker of job {ref.id} is frozen")
        stream = FakeInput(self._world, job, job.worker, self._here)
        try:
            yield stream
        finally:
            stream.close()

    async def resize(self, ref: JobRef, size: WindowSize) -> bool:
        """Sets the size of the worker's terminal."""
        self._here("resize")
        job = self._world.find(ref)
        return job is not None and self._world.resize(job, size)

    @asynccontextmanager
    async def execute(self, ref: JobRef, command: Command) -> AsyncIterator[FakeProcess]:
        """Plays the script of the command's first argument; a command without a script does not exist."""
        self._here("execute")
        job = self._world.find(ref)
        if job is None or job.worker is None or not job.worker.running:
            raise ContainerGone(f"the worker of job {ref.id} does not run")
        if job.worker.facts.frozen:
            raise RefusedByEngine(f"the worker of job {ref.id} is frozen")
        yield FakeProcess(self.commands.get(command.arguments[0]), command, job.worker, self._hints)

    def hints(self) -> AsyncGenerator[Hint, None]:
        """Yields `Connected` first and after each outage, then the events."""
        return self._hints.listen(lambda: self._away)

    # --- Files

    async def open_tar(self, ref: JobRef, path: str) -> AsyncGenerator[bytes, None]:
        """Streams a file, or a folder with its contents."""
        self._here()
        job = self._world.find(ref)
        if not self.keeps_files and job is not None and job.worker is not None and job.worker.facts.ended:
            raise FilesNotKept(f"the engine keeps no files of job {ref.id} after the end of its worker")
        found = below(job.files, path) if job is not None and job.worker is not None else {}
        if not found and (job is None or job.worker is None or path.rstrip("/") != job.spec.workspace):
            raise NoSuchFile(f"{path} does not exist")
        whole = packed(found, job.owner if job is not None else (0, 0))
        for start in range(0, len(whole), _TAR_CHUNK):
            yield whole[start : start + _TAR_CHUNK]
