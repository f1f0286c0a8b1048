"""A container engine in memory: implements all of `jobs.orchestrator.Orchestrator` and passes its contract suite.

Owns the behaviour that tests script: what a worker prints and writes, how long it runs on the clock that is given, how it ends;
what a sidecar reports; and what goes wrong (missing images, refused or lost calls, an engine that is away). Runs nothing and
touches no file but the tar that `create` is given. Must not know of the store, of HTTP or of Docker.
"""

import asyncio
import io
import tarfile
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Literal

from jobd.clock import Clock, SystemClock
from jobd.jobs.orchestrator import (
    ContainerFacts,
    Created,
    EngineFacts,
    EngineUnavailable,
    Hint,
    ImageFacts,
    ImageUnavailable,
    JobRef,
    LogCursor,
    NoSuchFile,
    Observation,
    RawLine,
    RefusedByEngine,
    Role,
    StartFailed,
    StreamName,
    Usage,
    WorkOrder,
)
from jobd.testing.sidecar import SidecarScript
from jobd.wire.job import JobSpec, Pull
from jobd.wire.report import FAILED_SIGNAL, SUCCEEDED_SIGNAL, Report, SidecarOrder, encode_report

MAX_HINTS = 256
"""As many as a slow listener may be behind, like the engine's own buffer; then the oldest are lost."""
_TAR_CHUNK = 64 * 1024


@dataclass(frozen=True, slots=True)
class WorkerScript:
    """What a worker does once it is started: prints, writes, and ends after `runs_s` (None: when a signal ends it).

    `rest` is printed to stdout last, without a newline. `writes` are files, by path within the workspace.
    `start_error` (code, text): it does not start at all.
    """

    lines: Sequence[str] = ()
    errors: Sequence[str] = ()
    rest: str = ""
    writes: Mapping[str, bytes] = field(default_factory=dict)
    exit_code: int = 0
    runs_s: float | None = 0.0
    oom_killed: bool = False
    ignores_sigterm: bool = False
    start_error: tuple[int, str] | None = None


@dataclass(eq=False, slots=True)
class _Container:
    """One container: what the engine says of it, its log, and the task that is its run."""

    facts: ContainerFacts
    log: list[RawLine] = field(default_factory=list)
    unfinished: RawLine | None = None
    run: asyncio.Task[None] | None = None
    order: SidecarOrder | None = None
    script: SidecarScript = field(default_factory=SidecarScript)
    told: bool = False


@dataclass(eq=False, slots=True)
class _Job:
    """What exists under one id: containers, and the volume's files by absolute path."""

    ref: JobRef
    spec: JobSpec
    files: dict[str, bytes]
    worker: _Container | None = None
    sidecar: _Container | None = None

    def of(self, role: Role) -> _Container | None:
        return self.worker if role == "worker" else self.sidecar


class FakeOrchestrator:
    """Belongs to one event loop. `workers` and `sidecars` hold scripts by job id; what has none does nothing, successfully.
    A list of sidecar scripts gives each start its own; the last one stays.

    `missing_images`: not to be had. `refuse_create`: why `create` is refused. `lose_start`: the answer to `start_worker` is
    lost, `before` or `after` it took effect. `hints_say_all`: hints of a start or an end carry facts, as Docker's do.
    `starts` lists the workers that were really started, in order.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self.clock: Clock = clock or SystemClock()
        self.workers: dict[str, WorkerScript] = {}
        self.sidecars: dict[str, SidecarScript | list[SidecarScript]] = {}
        self.missing_images: set[str] = set()
        self.sidecar_image_missing = False
        self.refuse_create: str | None = None
        self.lose_start: Literal["before", "after"] | None = None
        self.facts = EngineFacts(
            version="fake", api_version="0", cpus=4, memory_bytes=8 << 30, platform="linux/amd64"
        )
        self.hints_say_all = True
        self.starts: list[JobRef] = []
        self._away = False
        self._jobs: dict[str, _Job] = {}
        self._made = count(1)
        self._ticks = count(1)
        self._waiting: set[asyncio.Event] = set()
        self._listeners: set[_Listener] = set()

    # --- what tests do to the engine

    @property
    def away(self) -> bool:
        """True while every call raises EngineUnavailable. Containers go on meanwhile."""
        return self._away

    @away.setter
    def away(self, away: bool) -> None:
        self._away = away
        self._changed()

    def end(self, job_id: str, role: Role, exit_code: int, *, oom_killed: bool = False) -> None:
        """Ends a running container, as if it had ended by itself."""
        job = self._jobs.get(job_id)
        if job is not None and (box := job.of(role)) is not None:
            self._end(job, role, box, exit_code, oom_killed)

    def remove_by_hand(self, job_id: str, role: Role) -> None:
        """Removes one container as somebody else would."""
        if (job := self._jobs.get(job_id)) is not None:
            self._drop(job, role)

    async def close(self) -> None:
        """Ends all runs; the containers stay as they are."""
        boxes = [box for job in self._jobs.values() for box in (job.worker, job.sidecar) if box is not None]
        runs = [box.run for box in boxes if box.run is not None]
        for run in runs:
            run.cancel()
        await asyncio.gather(*runs, return_exceptions=True)

    # --- Engine

    async def ping(self) -> EngineFacts:
        """Returns `facts`, which tests may replace."""
        self._here()
        return self.facts

    async def usage(self, ref: JobRef) -> Usage | None:
        """Measures nothing."""
        self._here()
        return None

    async def refs(self) -> list[JobRef]:
        """Lists what exists."""
        self._here()
        return [job.ref for job in self._jobs.values()]

    async def ensure_sidecar_image(self) -> None:
        """Raises ImageUnavailable where `sidecar_image_missing`."""
        self._here()
        if self.sidecar_image_missing:
            raise ImageUnavailable("the sidecar image is missing")

    # --- Lifecycle

    async def ensure_image(
        self, image: str, pull: Pull, platform: str | None, on_progress: Callable[[str], None]
    ) -> ImageFacts:
        """Finds every image that is not among `missing_images`; says something only where it is told to pull."""
        self._here()
        if image in self.missing_images:
            raise ImageUnavailable(f"there is no image {image!r}")
        if pull == "always":
            on_progress(f"pulling {image}")
        return ImageFacts(id=f"sha256:{image}", digest=None, user="")

    async def create(self, order: WorkOrder, files: Path | None) -> Created:
        """Takes over what of this attempt has run; makes everything else anew."""
        self._here()
        if self.refuse_create is not None:
            raise RefusedByEngine(self.refuse_create)
        job = self._jobs.get(order.ref.id)
        if job is None or not self._is_to_be_kept(job, order.ref):
            if job is not None:
                self._remove(job)
            job = _Job(order.ref, order.spec, _unpacked(files, order.spec.workspace))
            job.worker = self._new(order.ref)
            job.sidecar = self._new(order.ref) if order.sidecar else None
            self._jobs[order.ref.id] = job
            self._tell(job, "worker", "create")
        if job.worker is None:
            job.worker = self._new(order.ref)  # made anew beside a sidecar that has run
        uid, gid = _owner(order.spec.user)
        return Created(job.worker.facts.id, job.sidecar.facts.id if job.sidecar else None, uid, gid)

    async def start_sidecar(self, ref: JobRef, order: SidecarOrder) -> None:
        """Starts the sidecar with its order; one that runs or has run is left alone."""
        self._here()
        job = self._mine(ref)
        if job is None or job.sidecar is None:
            raise StartFailed("the sidecar container is gone")
        if job.sidecar.facts.started_at is None:
            job.sidecar.order, job.sidecar.script = order, self._sidecar_script(job)
            self._started(job, "sidecar", job.sidecar)
            self._play_sidecar(job, job.sidecar, job.sidecar.script.inputs_of(order))

    async def start_worker(self, ref: JobRef) -> None:
        """Starts the worker; one that runs or has run is left alone."""
        self._here()
        job = self._mine(ref)
        if job is None or job.worker is None:
            raise StartFailed("the worker container is gone")
        if job.worker.facts.started_at is not None:
            return
        if self.lose_start == "before":
            raise EngineUnavailable("the answer was lost")
        script = self.workers.get(ref.id, WorkerScript())
        if script.start_error is not None:
            code, text = script.start_error
            job.worker.facts = replace(job.worker.facts, exit_code=code, error=text)
            raise StartFailed(text, code)
        self.starts.append(job.ref)
        self._started(job, "worker", job.worker)
        self._play_worker(job, job.worker, script)
        if self.lose_start == "after":
            raise EngineUnavailable("the answer was lost")

    async def observe(self, ref: JobRef) -> Observation:
        """Looks at what there is of this job, whatever its attempt."""
        self._here()
        job = self._jobs.get(ref.id)
        if job is None or job.ref.uid != ref.uid:
            return Observation(None, None)
        return Observation(
            job.worker.facts if job.worker else None, job.sidecar.facts if job.sidecar else None
        )

    async def signal(self, ref: JobRef, role: Role, signal: str) -> None:
        """SIGKILL ends; SIGTERM ends a worker that does not ignore it; a sidecar hears that the worker has ended."""
        self._here()
        job = self._mine(ref)
        box = job.of(role) if job is not None else None
        if job is None or box is None or box.facts.state != "running":
            return
        if signal == "SIGKILL":
            self._end(job, role, box, 137)
        elif signal == "SIGTERM" and not self.workers.get(ref.id, WorkerScript()).ignores_sigterm:
            self._end(job, role, box, 143)
        elif signal in (SUCCEEDED_SIGNAL, FAILED_SIGNAL) and role == "sidecar" and not box.told:
            assert box.order is not None
            box.told = True
            reports = box.script.outputs_of(box.order, signal == SUCCEEDED_SIGNAL)
            self._play_sidecar(job, box, reports)

    async def remove(self, ref: JobRef, role: Role | None = None) -> None:
        """Removes this job's containers, and without a role its volume."""
        self._here()
        job = self._jobs.get(ref.id)
        if job is None or job.ref.uid != ref.uid:
            return
        if role is not None:
            self._drop(job, role)
        else:
            self._remove(job)

    # --- Streams

    async def logs(
        self, ref: JobRef, role: Role, cursors: Mapping[StreamName, LogCursor], follow: bool
    ) -> AsyncGenerator[list[RawLine], None]:
        """Yields what was printed after the cursors; with `follow` what is printed until the end."""
        self._here()
        job = self._mine(ref)
        box = job.of(role) if job is not None else None
        if box is None:
            return
        taken = 0
        news = asyncio.Event()
        self._waiting.add(news)
        try:
            while True:
                news.clear()
                self._here()
                fresh, taken = box.log[taken:], len(box.log)
                if batch := [line for line in fresh if _is_after(line, cursors)]:
                    yield batch
                    continue
                if not follow or box.facts.state != "running":
                    break
                await news.wait()
        finally:
            self._waiting.discard(news)
        if not follow and box.unfinished is not None and _is_after(box.unfinished, cursors):
            yield [box.unfinished]

    async def hints(self) -> AsyncGenerator[Hint, None]:
        """Yields `Hint(None)` first and after each time away, then what happens."""
        listener = _Listener()
        self._listeners.add(listener)
        connected = False
        try:
            while True:
                listener.news.clear()
                if self._away:
                    connected = False
                    listener.hints.clear()
                elif not connected:
                    connected = True
                    yield Hint(None, None, "connected")
                    continue
                elif listener.hints:
                    yield listener.hints.pop(0)
                    continue
                await listener.news.wait()
        finally:
            self._listeners.discard(listener)

    # --- Files

    async def open_tar(self, ref: JobRef, path: str) -> AsyncGenerator[bytes, None]:
        """Streams a file, or a folder with what is below it."""
        self._here()
        job = self._mine(ref)
        found = _below(job.files, path) if job is not None and job.worker is not None else {}
        if not found and (job is None or job.worker is None or path.rstrip("/") != job.spec.workspace):
            raise NoSuchFile(f"{path} does not exist")
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            for name, content in found.items():
                member = tarfile.TarInfo(name)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
        whole = packed.getvalue()
        for start in range(0, len(whole), _TAR_CHUNK):
            yield whole[start : start + _TAR_CHUNK]

    # --- inside

    def _here(self) -> None:
        if self._away:
            raise EngineUnavailable("the engine is away")

    def _mine(self, ref: JobRef) -> _Job | None:
        job = self._jobs.get(ref.id)
        return job if job is not None and job.ref == ref else None

    def _is_to_be_kept(self, job: _Job, ref: JobRef) -> bool:
        if job.ref != ref:
            return False
        return any(box is not None and box.facts.started_at is not None for box in (job.worker, job.sidecar))

    def _new(self, ref: JobRef) -> _Container:
        return _Container(ContainerFacts(id=f"fake-{next(self._made)}", state="created", attempt=ref.attempt))

    def _sidecar_script(self, job: _Job) -> SidecarScript:
        script = self.sidecars.get(job.ref.id, SidecarScript())
        if isinstance(script, list):
            return script.pop(0) if len(script) > 1 else script[0]
        return script

    def _started(self, job: _Job, role: Role, box: _Container) -> None:
        box.facts = replace(box.facts, state="running", started_at=self._now())
        self._tell(job, role, "start")

    def _play_worker(self, job: _Job, box: _Container, script: WorkerScript) -> None:
        for path, content in script.writes.items():
            job.files[f"{job.spec.workspace}/{path}"] = content
        for stream, texts in (("stdout", script.lines), ("stderr", script.errors)):
            for text in texts:
                box.log.append(self._line("stdout" if stream == "stdout" else "stderr", text))
        if script.rest:
            box.unfinished = self._line("stdout", script.rest)
        self._changed()
        if script.runs_s is None:
            return
        if script.runs_s <= 0:
            self._end(job, "worker", box, script.exit_code, script.oom_killed)
        else:
            box.run = asyncio.create_task(self._run(job, box, script, script.runs_s))

    async def _run(self, job: _Job, box: _Container, script: WorkerScript, seconds: float) -> None:
        await self.clock.sleep(seconds)
        box.run = None
        self._end(job, "worker", box, script.exit_code, script.oom_killed)

    def _play_sidecar(self, job: _Job, box: _Container, reports: Sequence[Report]) -> None:
        for said in reports:
            box.log.append(self._line("stdout", encode_report(said).decode().rstrip("\n")))
        self._changed()
        code = SidecarScript.exit_code_after(reports)
        if code is not None:
            self._end(job, "sidecar", box, code)

    def _end(self, job: _Job, role: Role, box: _Container, code: int, oom_killed: bool = False) -> None:
        if box.facts.state != "running":
            return
        if box.run is not None:
            box.run.cancel()
            box.run = None
        box.facts = replace(
            box.facts, state="exited", exit_code=code, finished_at=self._now(), oom_killed=oom_killed
        )
        self._tell(job, role, "die")

    def _drop(self, job: _Job, role: Role) -> None:
        box = job.of(role)
        if box is None:
            return
        self._end(job, role, box, 137)
        if role == "worker":
            job.worker = None
        else:
            job.sidecar = None
        self._tell(job, role, "destroy")

    def _remove(self, job: _Job) -> None:
        self._drop(job, "worker")
        self._drop(job, "sidecar")
        self._jobs.pop(job.ref.id, None)

    def _line(self, stream: StreamName, text: str) -> RawLine:
        # As the engine's own: RFC 3339 with nanoseconds, growing within a stream.
        time = f"{self._now():%Y-%m-%dT%H:%M:%S}.{next(self._ticks):09d}Z"
        return RawLine(stream=stream, time=time, text=text, cursor=LogCursor(time, len(text.encode())))

    def _now(self) -> datetime:
        return self.clock.now()

    def _tell(self, job: _Job, role: Role, action: str) -> None:
        box = job.of(role)
        facts = box.facts if box is not None and self.hints_say_all else None
        if facts is not None and action == "die":
            # As the engine's own event: it knows neither the start nor the kernel's part in the end.
            facts = replace(facts, started_at=None, oom_killed=False)
        hint = Hint(job.ref.uid, role, action, facts if action in ("start", "die") else None)
        for listener in self._listeners:
            listener.hints.append(hint)
            del listener.hints[:-MAX_HINTS]
        self._changed()

    def _changed(self) -> None:
        for news in self._waiting:
            news.set()
        for listener in self._listeners:
            listener.news.set()


@dataclass(eq=False, slots=True)
class _Listener:
    """One reader of hints."""

    hints: list[Hint] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)


def _is_after(line: RawLine, cursors: Mapping[StreamName, LogCursor]) -> bool:
    cursor = cursors.get(line.stream)
    return cursor is None or line.cursor.timestamp > cursor.timestamp


def _unpacked(files: Path | None, workspace: str) -> dict[str, bytes]:
    if files is None:
        return {}
    found: dict[str, bytes] = {}
    with tarfile.open(files) as archive:
        for member in archive:
            content = archive.extractfile(member) if member.isfile() else None
            if content is not None:
                found[f"{workspace}/{member.name.removeprefix('./')}"] = content.read()
    return found


def _below(files: Mapping[str, bytes], path: str) -> dict[str, bytes]:
    """Returns the file at `path`, or what is below it, by the names that they have in a tar of it."""
    path = path.rstrip("/")
    name = path.rpartition("/")[2]
    if path in files:
        return {name: files[path]}
    return {
        f"{name}/{at.removeprefix(path + '/')}": content
        for at, content in files.items()
        if at.startswith(path + "/")
    }


def _owner(user: str | None) -> tuple[int, int]:
    """Returns uid and gid of numeric users; names stand for root, as the fake has no passwd."""
    uid, _, gid = (user or "0").partition(":")
    return int(uid) if uid.isdigit() else 0, int(gid) if gid.isdigit() else 0
