"""Walks a job through its states by facts, without an engine."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from jobd.jobs.port.model import (
    ContainerFacts,
    ContainerState,
    Created,
    EndCause,
    ImageFacts,
    Observation,
)
from jobd.jobs.record.new_record import new_record
from jobd.jobs.record.record import Record
from jobd.jobs.record.record_form import decode_record, encode_record
from jobd.jobs.state import actions, event_drafts, facts
from jobd.jobs.state.machine import step
from jobd.jobs.state.next_action import next_action
from jobd.wire import report
from jobd.wire.artifact import Artifact, Read, Write
from jobd.wire.job import JobSpec

START = datetime(2030, 1, 1, tzinfo=UTC)
INPUT = Write(id="in", source="text", out="f")
OUTPUT = Read(id="out", source="f", depends="job")


def container(state: str, **fields: Any) -> ContainerFacts:
    """A container of the first attempt; one that runs or ran has a start time."""
    if state not in ("created", "starting"):
        fields.setdefault("started_at", START + timedelta(seconds=5))
    return ContainerFacts(**{"id": "c", "attempt": 1, "state": ContainerState(state), **fields})


class Walk:
    """One job. `tell` applies facts; each record must survive its stored form, so that a restart changes nothing."""

    def __init__(self, spec: JobSpec) -> None:
        self.spec = spec
        self.now = START
        self.record: Record = new_record(spec, now=START, owner="1000", digest="d", has_spool=False)
        self.drafts: list[event_drafts.Draft] = []
        self.container = container

    def tell(self, *facts: facts.Fact) -> "Walk":
        for fact in facts:
            made = step(self.record, self.spec, fact, self.now)
            self.record = decode_record(encode_record(made.record))
            assert self.record == made.record
            self.drafts += made.drafts
        return self

    def look(
        self,
        worker: ContainerFacts | None = None,
        sidecar: ContainerFacts | None = None,
        drained: bool = True,
    ) -> "Walk":
        return self.tell(facts.Observed(Observation(worker, sidecar), reports_drained=drained))

    def later(self, seconds: float) -> "Walk":
        self.now += timedelta(seconds=seconds)
        return self

    def at(self, seconds: float) -> datetime:
        return START + timedelta(seconds=seconds)

    def asks(
        self, worker: ContainerFacts | None = None, sidecar: ContainerFacts | None = None, blind: bool = False
    ) -> actions.Action:
        return next_action(self.record, None if blind else Observation(worker, sidecar), self.now)

    def observation(self, worker: ContainerFacts) -> Observation:
        return Observation(worker, None)

    @property
    def types(self) -> list[str]:
        return [draft.type.removeprefix("orchestrator.job.") for draft in self.drafts]

    def data(self, kind: str) -> dict[str, Any]:
        found = [draft.data for draft in self.drafts if draft.type == f"orchestrator.job.{kind}"]
        assert len(found) == 1
        return found[0]

    # The phases of a job, each from the previous one.

    def created(self) -> "Walk":
        sidecar = "s" if self.spec.artifacts else None
        self.tell(facts.Admitted(), facts.ImageReady(ImageFacts("sha256:1", "sha256:2")))
        return self.tell(facts.Prepared(Created("w", sidecar)))

    def sidecar_runs(self) -> "Walk":
        return (
            self.created()
            .tell(facts.SidecarStarting())
            .look(container("created"), container("running"), drained=False)
        )

    def to(self, phase: str) -> "Walk":
        if phase == "queued":
            return self
        if phase == "pulling":
            return self.tell(facts.Admitted())
        if phase == "creating":
            return self.tell(facts.Admitted(), facts.ImageReady(ImageFacts("sha256:1", None)))
        if phase == "inputs":
            return self.sidecar_runs()
        if self.spec.artifacts:
            self.sidecar_runs().tell(facts.Reported(report.Started(n=1)), facts.Reported(report.Ready(n=2)))
        else:
            self.created()
        if phase == "ready":
            return self
        self.tell(facts.WorkerStarting()).look(container("running"), self._sidecar("running"), drained=False)
        if phase == "running":
            return self
        self.look(self.exited(0), self._sidecar("running"), drained=False)
        if phase == "drained":
            return self
        assert phase == "outputs"
        return self.tell(facts.LogsDrained())

    def exited(self, code: int, **fields: Any) -> ContainerFacts:
        fields.setdefault("cause", EndCause.OWN_EXIT)
        return container("ended", exit_code=code, finished_at=START + timedelta(seconds=9), **fields)

    def _sidecar(self, state: str) -> ContainerFacts | None:
        return container(state) if self.spec.artifacts else None


@pytest.fixture(scope="session")
def job() -> Callable[..., Walk]:
    """Returns a new job; fields as in `JobSpec`."""

    def made(*artifacts: Artifact, **fields: Any) -> Walk:
        return Walk(JobSpec(id="a", image="busybox", artifacts=list(artifacts), meta={"k": "v"}, **fields))

    return made


@pytest.fixture(scope="session")
def job_with_files(job: Callable[..., Walk]) -> Callable[..., Walk]:
    """The same with one input and one output."""

    def made(**fields: Any) -> Walk:
        return job(INPUT, OUTPUT, **fields)

    return made
