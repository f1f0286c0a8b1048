"""A container engine in memory: implements all of `jobs.port.protocols.EnginePort` and passes its contract suite.

Owns the answers to calls and the faults (missing images, refused or lost calls, an unavailable engine). `world.py` has the
containers, `worker.py` and `sidecar.py` their scripts. Executes nothing and reads no file but the tar for `create`. Must not know
of the store, of HTTP or of Docker.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Literal

from jobd.clock import Clock, SystemClock
from jobd.jobs.port.errors import (
    ContainerGone,
    EngineUnavailable,
    ImageUnavailable,
    LogUnreadable,
    NoSuchFile,
    RefusedByEngine,
    StartFailed,
)
from jobd.jobs.port.hints import Hint
from jobd.jobs.port.model import (
    ContainerFacts,
    Created,
    DiskUse,
    EndCause,
    EngineFacts,
    ImageFacts,
    JobRef,
    LogBatch,
    LogCursor,
    Observation,
    Role,
    StartFate,
    StreamName,
    Usage,
    WorkOrder,
)
from jobd.wire.job import Pull
from jobd.wire.report import SidecarOrder
from tests.support.fakes.hints import Hints
from tests.support.fakes.printed import output, printed
from tests.support.fakes.sidecar import SidecarScript
from tests.support.fakes.worker import WorkerScript
from tests.support.fakes.workspace import below, owner_of, packed, unpacked
from tests.support.fakes.world import Container, Job, World

_TAR_CHUNK = 64 * 1024


class FakeOrchestrator:
    """Belongs to one event loop. `workers` and `sidecars` hold scripts by job id; a container without a script succeeds.
    A list of sidecar scripts has one per start; the last one stays.

    `missing_images`: cannot be pulled. `refuse_create`: why `create` is refused. `errors`: transient errors by the name of the call.
    `lose_start`: the answer to `start_worker` is lost, `before` or `after` the start took effect; `late`: the start takes effect at
    `let_starts_arrive`. `before_removal` is called before the removal of a container that has not run. `unreadable_logs`: the roles
    whose logs the engine does not return. `starts` lists the started workers, in order.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self.workers: dict[str, WorkerScript] = {}
        self.sidecars: dict[str, SidecarScript | list[SidecarScript]] = {}
        self.missing_images: set[str] = set()
        self.sidecar_image_missing = False
        self.refuse_create: str | None = None
        self.errors: dict[str, str] = {}
        self.lose_start: Literal["before", "after", "late"] | None = None
        self.before_removal: Callable[[], None] = lambda: None
        self.unreadable_logs: set[Role] = set()
        self.facts = EngineFacts(
            name="fake", version="0", api_version="0", cpus=4, memory_bytes=8 << 30, platform="linux/amd64"
        )
        self.starts: list[JobRef] = []
        self._away = False
        self._late: list[tuple[JobRef, str]] = []
        self._hints = Hints()
        self._world = World(clock or SystemClock(), self._hints)

    # --- what tests do to the engine

    @property
    def away(self) -> bool:
        """True while every call raises EngineUnavailable. Containers continue meanwhile."""
        return self._away

    @away.setter
    def away(self, away: bool) -> None:
        self._away = away
        self._hints.wake()

    @property
    def hints_say_all(self) -> bool:
        """True if hints of a start or an end carry facts, as Docker's do."""
        return self._world.hints_say_all

    @hints_say_all.setter
    def hints_say_all(self, all_: bool) -> None:
        self._world.hints_say_all = all_

    def end(
        self,
        job_id: str,
        role: Role,
        exit_code: int | None,
        *,
        cause: EndCause = EndCause.OWN_EXIT,
        told_late: bool = False,
    ) -> None:
        """Ends a running container, by itself or for another cause. `told_late`: the kernel killed the container for its memory, and
        its facts lack that cause.
        """
        job = self._world.jobs.get(job_id)
        if job is not None and (box := job.of(role)) is not None:
            if told_late:
                self._world.late_memory_kills.add(box.facts.id)
            self._world.end(job, role, box, exit_code, cause)

    def signal_from_outside(self, job_id: str, role: Role, exit_code: int) -> None:
        """Sends an external signal; the container ends with `exit_code`."""
        job = self._world.jobs.get(job_id)
        if job is not None and (box := job.of(role)) is not None and box.running:
            self._world.signal_from_outside(job, role, box, exit_code)

    def interrupt_hints(self) -> None:
        """Breaks the streams of hints, which reconnect at once."""
        self._hints.interrupt()

    def restart(self) -> None:
        """Stops the engine with all running containers, and starts the engine again."""
        self._world.stop_all()
        self.interrupt_hints()

    def remove_by_hand(self, job_id: str, role: Role) -> None:
        """Removes one container, as another program would."""
        self.signal_from_outside(job_id, role, 137)
        if (job := self._world.jobs.get(job_id)) is not None:
            self._world.drop(job, role)

    def let_starts_arrive(self) -> None:
        """Executes the delayed starts; a start of a removed container, or one that has run, does nothing."""
        late, self._late = self._late, []
        for ref, container_id in late:
            job = self._world.find(ref)
            box = job.worker if job is not None else None
            if job is not None and box is not None and box.facts.id == container_id:
                self._start(job, box)

    def forget_events(self) -> None:
        """Forgets the events of removed containers, as an engine's bounded buffer does."""
        self._world.forget_events()

    async def close(self) -> None:
        """Ends all runs; the containers stay as they are."""
        await self._world.close()

    # --- Engine

    async def ping(self) -> EngineFacts:
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

    async def ensure_sidecar_image(self) -> None:
        """Raises ImageUnavailable where `sidecar_image_missing`."""
        self._here()
        if self.sidecar_image_missing:
            raise ImageUnavailable("the sidecar image is missing")
        self.facts = replace(self.facts, has_sidecar_image=True)

    # --- Lifecycle

    async def ensure_image(
        self, image: str, pull: Pull, platform: str | None, on_progress: Callable[[str], None]
    ) -> ImageFacts:
        """Finds every image that is not in `missing_images`; reports progress only for a pull."""
        self._here()
        if image in self.missing_images:
            raise ImageUnavailable(f"there is no image {image!r}")
        if pull == "always":
            on_progress(f"pulling {image}")
        return ImageFacts(id=f"sha256:{image}", digest=None, user="")

    async def create(self, order: WorkOrder, files: Path | None) -> Created:
        """Reuses containers of this attempt that have run; creates the others again."""
        self._here("create")
        if self.refuse_create is not None:
            raise RefusedByEngine(self.refuse_create)
        job = self._world.jobs.get(order.ref.id)
        if job is None or job.ref != order.ref or not job.has_run:
            if job is not None:
                self._world.remove(job)
            job = Job(order.ref, order.spec, unpacked(files, order.spec.workspace))
            job.worker = self._world.new_container(order.ref)
            job.sidecar = self._world.new_container(order.ref) if order.sidecar else None
            self._world.put(job)
        if job.worker is None:
            job.worker = self._world.new_container(order.ref)  # created again beside a sidecar that has run
        uid, gid = owner_of(order.spec.user)
        return Created(job.worker.facts.id, job.sidecar.facts.id if job.sidecar else None, uid, gid)

    async def start_sidecar(self, ref: JobRef, order: SidecarOrder) -> None:
        """Starts the sidecar with its order, unless it runs or has run."""
        self._here()
        job = self._world.find(ref)
        if job is None or job.sidecar is None:
            raise StartFailed("the sidecar container is gone")
        if job.sidecar.facts.started_at is None:
            self._world.start_sidecar(job, job.sidecar, order, self._sidecar_script(ref.id))

    async def start_worker(self, ref: JobRef) -> None:
        """Starts the worker, unless it runs or has run."""
        self._here("start_worker")
        job = self._world.find(ref)
        if job is None or job.worker is None:
            raise StartFailed("the worker container is gone")
        if job.worker.facts.started_at is not None:
            return
        if self.lose_start == "before":
            raise EngineUnavailable("the answer was lost")
        if self.lose_start == "late":
            self._late.append((job.ref, job.worker.facts.id))
            raise EngineUnavailable("the answer was lost")
        self._start(job, job.worker)
        if self.lose_start == "after":
            raise EngineUnavailable("the answer was lost")

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
        """SIGKILL ends; SIGTERM ends a worker that does not ignore it."""
        self._here("signal")
        job = self._world.find(ref)
        box = job.of(role) if job is not None else None
        if job is None or box is None or not box.running:
            return
        if signal == "SIGKILL":
            self._world.end(job, role, box, 137, EndCause.SIGNAL)
        elif signal == "SIGTERM" and not self.workers.get(ref.id, WorkerScript()).ignores_sigterm:
            self._world.end(job, role, box, 143, EndCause.SIGNAL)

    async def notify_worker_ended(self, ref: JobRef, succeeded: bool) -> None:
        """Lets the sidecar transfer its outputs, once."""
        self._here("notify_worker_ended")
        job = self._world.find(ref)
        if job is not None and job.sidecar is not None and job.sidecar.running:
            self._world.tell_sidecar(job, job.sidecar, succeeded)

    async def remove(self, ref: JobRef, role: Role | None = None) -> None:
        """Removes this job's containers, and without a role its volume."""
        self._here("remove")
        job = self._world.jobs.get(ref.id)
        if job is None or job.ref.uid != ref.uid:
            return
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
        self._world.remove(job)

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
    async def output(self, ref: JobRef) -> AsyncIterator[AsyncIterator[tuple[StreamName, bytes]]]:
        """Yields the worker's output until its end."""
        self._here()
        job = self._world.find(ref)
        if job is None or job.worker is None:
            raise ContainerGone(f"the worker of job {ref.id} does not exist")
        yield output(job.worker, len(job.worker.log), self._hints, self._here)

    def hints(self) -> AsyncGenerator[Hint, None]:
        """Yields `Connected` first and after each outage, then the events."""
        return self._hints.listen(lambda: self._away)

    # --- Files

    async def open_tar(self, ref: JobRef, path: str) -> AsyncGenerator[bytes, None]:
        """Streams a file, or a folder with its contents."""
        self._here()
        job = self._world.find(ref)
        found = below(job.files, path) if job is not None and job.worker is not None else {}
        if not found and (job is None or job.worker is None or path.rstrip("/") != job.spec.workspace):
            raise NoSuchFile(f"{path} does not exist")
        whole = packed(found)
        for start in range(0, len(whole), _TAR_CHUNK):
            yield whole[start : start + _TAR_CHUNK]

    # --- inside

    def _here(self, call: str = "") -> None:
        if self._away:
            raise EngineUnavailable("the engine is away")
        if call in self.errors:
            raise EngineUnavailable(self.errors[call], answered=True)

    def _start(self, job: Job, box: Container) -> None:
        if box.facts.started_at is not None:
            return
        script = self.workers.get(job.ref.id, WorkerScript())
        if script.start_error is not None:
            code, text = script.start_error
            box.facts = replace(box.facts, exit_code=code, error=text)
            raise StartFailed(text, code)
        self.starts.append(job.ref)
        self._world.start_worker(job, box, script)

    def _sidecar_script(self, job_id: str) -> SidecarScript:
        script = self.sidecars.get(job_id, SidecarScript())
        if isinstance(script, list):
            return script.pop(0) if len(script) > 1 else script[0]
        return script
