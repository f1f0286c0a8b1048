"""A small pure engine for walks of the state machine: only what decides whether a worker runs twice or an event is out of order.
A model, not a fake: no time passes and no call waits.
"""

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal

from jobd.jobs.port.model import ContainerFacts, ContainerState, Created, EndCause, Observation, StartFate
from jobd.wire import report
from jobd.wire.artifact import after_job
from jobd.wire.job import JobSpec


@dataclass
class Box:
    """A container: its facts, and a sidecar's reports so far. `notified`: the sidecar was notified that the worker has ended."""

    facts: ContainerFacts
    said: list[report.Report] = field(default_factory=list)
    notified: bool = False

    @property
    def running(self) -> bool:
        return self.facts.state is ContainerState.RUNNING


class ModelEngine:
    """Two containers at most. Counts how often a worker began to run, by attempt. Without a worker: an earlier job's outputs."""

    def __init__(self, spec: JobSpec, *, has_worker: bool = True) -> None:
        self.spec = spec
        self.has_worker = has_worker
        self.worker: Box | None = None
        self.sidecar: Box | None = None
        self.runs: Counter[int] = Counter()
        self.made = 0
        self.late_starts: list[Box] = []
        """Requested starts that may still arrive, until the engine ends."""
        self.asked_to_start: set[str] = set()
        self.gone: dict[str, ContainerFacts] = {}
        """The engine's events of removed containers."""

    def look(self) -> Observation:
        return Observation(
            self.worker.facts if self.worker else None, self.sidecar.facts if self.sidecar else None
        )

    def create(self, attempt: int) -> Created:
        """Keeps useful containers that have run, creates the others again; never replaces a container that may still start."""
        if self.has_worker and (
            self.worker is None
            or self.worker.facts.started_at is None
            or self.worker.facts.attempt != attempt
        ):
            assert self.worker is None or self.worker.facts.id not in self.asked_to_start
            self.worker = self._new(attempt)
        wanted = bool(self.spec.artifacts)
        if wanted and (self.sidecar is None or not self.sidecar.running):
            assert self.sidecar is None or self.sidecar not in self.late_starts
            self.sidecar = self._new(attempt)
        worker_id = self.worker.facts.id if self.worker is not None else "earlier"
        return Created(worker_id, self.sidecar.facts.id if self.sidecar and wanted else None)

    def start(self, box: Box | None, now: datetime) -> None:
        """Starts a container unless it was started before or is removed."""
        if box is None or box.facts.started_at is not None or box not in (self.worker, self.sidecar):
            return
        box.facts = replace(box.facts, state=ContainerState.RUNNING, started_at=now)
        self.runs[box.facts.attempt] += box is self.worker

    def drop(self, role: str) -> None:
        """Removes a container, by force if it runs."""
        box: Box | None = getattr(self, role)
        if box is not None:
            if box.running:
                box.facts = replace(
                    box.facts, state=ContainerState.ENDED, exit_code=137, cause=EndCause.SIGNAL
                )
            self.gone[box.facts.id] = box.facts
            setattr(self, role, None)

    def remove_unstarted(self, role: str, container_id: str, late: str, now: datetime) -> StartFate:
        """Removes a container that has not run, without force. `late`: the result of a start that arrives before the removal."""
        box: Box | None = getattr(self, role)
        if box is not None and box.facts.id == container_id:
            if box.facts.started_at is None and box in self.late_starts and late != "nothing":
                self.late_starts.remove(box)
                self.start(box, now)
                if late == "ends":
                    self.end(box, 3, now)
            if box.running or (box.facts.started_at is not None and late == "nothing"):
                return StartFate("began")
            self.drop(role)
        last = self.gone.get(container_id)
        if last is None:
            return StartFate("unknown")
        return StartFate("never") if last.started_at is None else StartFate("began", last)

    def arrive(self, now: datetime) -> None:
        """Executes the delayed starts."""
        late, self.late_starts = self.late_starts, []
        for box in late:
            self.start(box, now)

    def ask_to_start(self, box: Box | None) -> None:
        """Asserts that a worker's start is requested once: an ambiguous start is never repeated."""
        if box is not None and box.facts.started_at is None:
            assert box.facts.id not in self.asked_to_start
            self.asked_to_start.add(box.facts.id)

    def freeze(self, box: Box | None, frozen: bool) -> None:
        """Freezes or thaws a running container."""
        if box is not None and box.running:
            box.facts = replace(box.facts, frozen=frozen)

    def end(self, box: Box | None, code: int, now: datetime, cause: EndCause = EndCause.OWN_EXIT) -> None:
        if box is not None and box.running:
            box.facts = replace(
                box.facts,
                state=ContainerState.ENDED,
                exit_code=code,
                finished_at=now,
                cause=cause,
                frozen=False,
            )

    def stop(self, code: int, now: datetime) -> None:
        """Restarts the engine: running containers end, and pending requests are lost."""
        self.late_starts = []
        self.gone = {}
        for box in (self.worker, self.sidecar):
            self.end(box, code, now)

    def refuse_to_start(self, box: Box | None) -> None:
        """A start that failed because the engine was stopping; the container keeps the error."""
        if box is not None and box.facts.state is ContainerState.CREATED and box.facts.started_at is None:
            box.facts = replace(box.facts, exit_code=128, error="database not open")

    def next_report(self, fails: bool, now: datetime) -> report.Report | None:
        """Returns the sidecar's next report, like the real sidecar's; None if it waits."""
        box = self.sidecar
        if box is None or not box.running:
            return None
        late = after_job(self.spec.artifacts)
        n = len(box.said) + 1
        done = [said.artifact_id for said in box.said if isinstance(said, report.ArtifactDone)]
        ready = any(isinstance(said, report.Ready) for said in box.said)
        status: Literal["success", "failed"] = "failed" if fails else "success"
        if not box.said:
            return self._say(box, report.Started(n=1))
        if not ready:
            for artifact in self.spec.artifacts:
                if artifact.id not in late and artifact.id not in done:
                    return self._say(
                        box,
                        report.ArtifactDone(n=n, artifact_id=artifact.id, artifact_type="x", status=status),
                    )
            if any(isinstance(said, report.ArtifactDone) and said.status == "failed" for said in box.said):
                self._say(box, report.InputsFailed(n=n, error="an input failed"))
                self.end(box, 1, now)
                return box.said[-1]
            return self._say(box, report.Ready(n=n))
        if not box.notified:
            return None
        if not any(isinstance(said, report.OutputsStarted) for said in box.said):
            return self._say(box, report.OutputsStarted(n=n))
        for artifact in self.spec.artifacts:
            if artifact.id in late and artifact.id not in done:
                return self._say(
                    box, report.ArtifactDone(n=n, artifact_id=artifact.id, artifact_type="x", status=status)
                )
        failed = [
            said.artifact_id
            for said in box.said
            if isinstance(said, report.ArtifactDone) and said.status == "failed"
        ]
        self._say(box, report.Done(n=n, failed=failed))
        self.end(box, 0, now)
        return box.said[-1]

    def _say(self, box: Box, said: report.Report) -> report.Report:
        box.said.append(said)
        return said

    def _new(self, attempt: int) -> Box:
        self.made += 1
        return Box(ContainerFacts(id=f"c{self.made}", state=ContainerState.CREATED, attempt=attempt))
