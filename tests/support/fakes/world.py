"""The fake engine's containers: they start, play their scripts, print, end and are removed.

Owns the jobs in memory and the tasks of running workers; sends each change to `hints.py`. `orchestrator.py` decides whether the
engine answers, refuses or loses a call.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from itertools import count

from jobd.clock import Clock
from jobd.jobs.port.hints import Changed, Ended, SignalledExternally, Started
from jobd.jobs.port.model import (
    ContainerFacts,
    ContainerState,
    EndCause,
    JobRef,
    RawLine,
    Role,
    StartFate,
    StreamName,
    WindowSize,
)
from jobd.wire.artifact import JobFiles, Write
from jobd.wire.report import ArtifactDone, InputsFailed, SidecarOrder, encode_report
from tests.support.fakes.containers import Container, Job
from tests.support.fakes.hints import Hints
from tests.support.fakes.sidecar import Said, SidecarScript
from tests.support.fakes.worker import WorkerScript

ROLES: tuple[Role, ...] = ("worker", "sidecar")


class World:
    """All jobs of one fake engine, by id. `hints_say_all`: hints of a start or an end carry facts, as Docker's do."""

    def __init__(self, clock: Clock, hints: Hints) -> None:
        self.jobs: dict[str, Job] = {}
        self.released: set[str] = set()
        """Uids of jobs whose run is over."""
        self.hints_say_all = True
        self.late_memory_kills: set[str] = set()
        """Ids of containers that the kernel killed for their memory, without that cause in their facts."""
        self.stopped_with_engine: set[str] = set()
        """Ids of containers that ended with the engine, without that cause in their facts."""
        self._clock = clock
        self._hints = hints
        self._gone: dict[str, ContainerFacts] = {}
        """The last state of removed containers, by id."""
        self._made = count(1)
        self._ticks = count(1)

    def find(self, ref: JobRef) -> Job | None:
        """Returns this attempt's job."""
        job = self.jobs.get(ref.id)
        return job if job is not None and job.ref == ref else None

    def of_uid(self, ref: JobRef) -> Job | None:
        """Returns the job, whatever its attempt."""
        job = self.jobs.get(ref.id)
        return job if job is not None and job.ref.uid == ref.uid else None

    def put(self, job: Job) -> None:
        """Adds a job with its containers."""
        self.jobs[job.ref.id] = job
        self._hints.send(Changed(job.ref.uid, "worker"))

    def new_container(self, ref: JobRef) -> Container:
        """Returns a container that was never started."""
        return Container(
            ContainerFacts(id=f"fake-{next(self._made)}", state=ContainerState.CREATED, attempt=ref.attempt)
        )

    def start_worker(self, job: Job, box: Container, script: WorkerScript) -> None:
        """Starts a worker that plays `script`."""
        self._started(job, "worker", box)
        for path, content in script.writes.items():
            job.files[f"{job.spec.workspace}/{path}"] = content
        box.worker_script = script
        box.log += [self._printed(job, "stdout", text) for text in script.lines]
        box.log += [self._printed(job, "stderr", text) for text in script.errors]
        secrets = job.secrets
        for name in script.shows:
            box.log.append(
                self._line("stdout", secrets[name])
                if name in secrets
                else self._line("stderr", f"no secret {name}")
            )
        if script.rest:
            box.unfinished = replace(self._line("stdout", script.rest), newline=False)
        self._hints.wake()
        self._read_input(job, box)
        if script.runs_s is None:
            return
        if script.runs_s <= 0:
            self.end(job, "worker", box, script.exit_code, script.cause)
        else:
            box.run = asyncio.create_task(self._run(job, box, script, script.runs_s))

    def type(self, job: Job, box: Container, data: bytes) -> None:
        """Adds bytes to a worker's input."""
        box.typed += data
        self._read_input(job, box)

    def end_input(self, job: Job, box: Container) -> None:
        """Ends a worker's input."""
        box.input_ended = True
        self._read_input(job, box)

    def resize(self, job: Job, size: WindowSize) -> bool:
        """Sets the size of a worker's terminal; False if there is none."""
        box = job.worker
        if box is None or not box.running or not job.spec.tty:
            return False
        if box.worker_script.shows_size:
            box.log.append(self._printed(job, "stdout", f"{size.rows} {size.columns}"))
            self._hints.wake()
        return True

    def _read_input(self, job: Job, box: Container) -> None:
        if not box.running or not box.worker_script.copies:
            return
        *lines, box.typed = box.typed.split(b"\n")
        box.log += [self._printed(job, "stdout", line.decode()) for line in lines]
        if box.input_ended:
            if box.typed:
                box.unfinished = replace(self._line("stdout", box.typed.decode()), newline=False)
            self.end(job, "worker", box, box.worker_script.exit_code)
        self._hints.wake()

    def _printed(self, job: Job, stream: StreamName, text: str) -> RawLine:
        """Returns a line as a worker prints it: a terminal has one stream, and ends lines with a carriage return."""
        return self._line("stdout", text + "\r") if job.spec.tty else self._line(stream, text)

    def start_sidecar(self, job: Job, box: Container, order: SidecarOrder, script: SidecarScript) -> None:
        """Starts a sidecar that writes the texts of `order` and prints its script's reports on the inputs."""
        box.order, box.script = order, script
        missing: str | None = None
        for artifact in order.artifacts:
            if isinstance(artifact, JobFiles) and not self._copy(job, artifact):
                missing = missing or artifact.id
            if isinstance(artifact, Write):
                job.files[f"{job.spec.workspace}/{artifact.out}"] = artifact.source.encode()
        self._started(job, "sidecar", box)
        self._say(job, box, script.inputs_of(order) if missing is None else _without(order, missing))

    def _copy(self, job: Job, artifact: JobFiles) -> bool:
        """Copies the files that a `job` artifact names; False if there are none."""
        source = self.of_uid(job.sources[artifact.job])
        assert source is not None
        path = artifact.source.strip("/")
        root = source.spec.workspace if path in ("", ".") else f"{source.spec.workspace}/{path}"
        target = f"{job.spec.workspace}/{artifact.out.rstrip('/')}"
        found = {
            at: content for at, content in source.files.items() if at == root or at.startswith(root + "/")
        }
        job.files.update({target + at.removeprefix(root): content for at, content in found.items()})
        return bool(found)

    def notify_sidecar(self, job: Job, box: Container, succeeded: bool) -> None:
        """Notifies a sidecar, once, that the worker has ended."""
        if not box.notified:
            assert box.order is not None
            box.notified = True
            self._say(job, box, box.script.outputs_of(box.order, succeeded))

    def end(
        self,
        job: Job,
        role: Role,
        box: Container,
        code: int | None,
        cause: EndCause = EndCause.OWN_EXIT,
        *,
        ordered: bool = True,
    ) -> None:
        """Ends a running container. The hint of an end that was not `ordered` through the port has no facts."""
        if not box.running:
            return
        if box.run is not None:
            box.run.cancel()
            box.run = None
        finished_at = self._clock.now()
        box.facts = replace(
            box.facts,
            state=ContainerState.ENDED,
            exit_code=code,
            finished_at=finished_at,
            cause=cause,
            frozen=False,
        )
        # Like an engine's event: without a start, and without facts if only an observation shows the cause.
        has_facts = cause is EndCause.OWN_EXIT or (cause is EndCause.SIGNAL and ordered)
        has_facts = has_facts and box.facts.id not in self.late_memory_kills
        end_facts = replace(box.facts, started_at=None) if has_facts and self.hints_say_all else None
        self._hints.send(Ended(job.ref.uid, role, end_facts))

    def freeze(self, box: Container) -> None:
        """Lets a running worker stand still: its time does not pass."""
        if box.running and not box.facts.frozen:
            box.facts = replace(box.facts, frozen=True)
            box.frozen_at = self._clock.monotonic()
            box.thawed.clear()

    def thaw(self, box: Container) -> None:
        """Lets a frozen worker run again."""
        if box.facts.frozen:
            box.facts = replace(box.facts, frozen=False)
            box.frozen_s += self._clock.monotonic() - box.frozen_at
            box.thawed.set()

    def signal_from_outside(self, job: Job, role: Role, box: Container, code: int) -> None:
        """Ends the container by an external signal."""
        self._hints.send(SignalledExternally(job.ref.uid, role))
        self.end(job, role, box, code, EndCause.SIGNAL, ordered=False)

    def stop_all(self) -> None:
        """Ends all running containers, as a stopping engine does."""
        for job in self.jobs.values():
            for role in ROLES:
                if (box := job.of(role)) is not None and box.running:
                    self.stopped_with_engine.add(box.facts.id)
                    self.signal_from_outside(job, role, box, 143)

    def drop(self, job: Job, role: Role) -> None:
        """Removes one container by force, if it exists."""
        box = job.of(role)
        if box is None:
            return
        self.end(job, role, box, 137, EndCause.SIGNAL)
        self._gone[box.facts.id] = box.facts
        if role == "worker":
            job.worker = None
        else:
            job.sidecar = None
        self._hints.send(Changed(job.ref.uid, role))

    def remove(self, job: Job) -> None:
        """Removes all containers of a job by force."""
        self.drop(job, "worker")
        self.drop(job, "sidecar")
        self.jobs.pop(job.ref.id, None)

    def fate(self, container_id: str) -> StartFate:
        """Returns whether a removed container has run."""
        last = self._gone.get(container_id)
        if last is None:
            return StartFate("unknown")
        return StartFate("never") if last.started_at is None else StartFate("began", last)

    def forget_events(self) -> None:
        """Forgets removed containers."""
        self._gone = {}

    async def close(self) -> None:
        """Ends all runs; the containers stay as they are."""
        boxes = [box for job in self.jobs.values() for box in (job.worker, job.sidecar) if box is not None]
        runs = [box.run for box in boxes if box.run is not None]
        for run in runs:
            run.cancel()
        await asyncio.gather(*runs, return_exceptions=True)

    def _started(self, job: Job, role: Role, box: Container) -> None:
        box.facts = replace(box.facts, state=ContainerState.RUNNING, started_at=self._clock.now(), pending="")
        box.thawed.set()
        self._hints.send(Started(job.ref.uid, role, box.facts if self.hints_say_all else None))

    async def _run(self, job: Job, box: Container, script: WorkerScript, seconds: float) -> None:
        began, left_s = self._clock.monotonic(), seconds
        while left_s > 0:
            await self._clock.sleep(left_s)
            await box.thawed.wait()
            left_s = seconds - (self._clock.monotonic() - began - box.frozen_s)
        box.run = None
        self.end(job, "worker", box, script.exit_code, script.cause)

    def _say(self, job: Job, box: Container, reports: Sequence[Said]) -> None:
        for said in reports:
            text = said if isinstance(said, str) else encode_report(said).decode().rstrip("\n")
            box.log.append(self._line("stdout", text))
        self._hints.wake()
        code = SidecarScript.exit_code_after(reports)
        if code is not None:
            self.end(job, "sidecar", box, code)

    def _line(self, stream: StreamName, text: str) -> RawLine:
        # Like the engine's time: RFC 3339 with nanoseconds, growing within a stream.
        time = f"{self._clock.now():%Y-%m-%dT%H:%M:%S}.{next(self._ticks):09d}Z"
        return RawLine(stream=stream, time=time, text=text)


def _without(order: SidecarOrder, artifact_id: str) -> list[Said]:
    """Returns the reports of a sidecar whose source of this artifact does not exist."""
    artifact = next(one for one in order.artifacts if one.id == artifact_id)
    assert isinstance(artifact, JobFiles)
    why = f"job {artifact.job!r} has no {artifact.source!r} in its workspace"
    failed = ArtifactDone(n=1, artifact_id=artifact_id, artifact_type="job", status="failed", error=why)
    return [failed, InputsFailed(n=2, error=f"input {artifact_id!r} (job) failed: {why}")]
