"""How facts reach the rule machine of one job: each is applied and stored, and its events are checked; what is observed and reported.

`job_turns.py` has the supervisor's turns, which cause most facts.
"""

from dataclasses import replace
from datetime import timedelta

import msgspec

from jobd.jobs.job_repository import number
from jobd.jobs.port.model import ContainerFacts, ContainerState, EndCause, Observation
from jobd.jobs.record.record import Record
from jobd.jobs.record.record_form import decode_record, encode_record
from jobd.jobs.record.states import Running
from jobd.jobs.state import event_drafts, facts
from jobd.jobs.state.machine import step
from jobd.wire import event, report
from scripts.check_docs import event_fields
from tests.support.models.job_inputs import JobInputs
from tests.support.models.job_pauses import JobPauses


def with_engine(observation: ContainerFacts | None) -> ContainerFacts | None:
    """Returns an adapter's facts of a container whose end, or failed start, the engine's stop has caused."""
    if observation is None or not (observation.ended or observation.error):
        return observation
    return (
        replace(observation, cause=EndCause.ENGINE_STOPPED)
        if observation.ended
        else replace(observation, start_may_pass=True)
    )


class JobFacts(JobPauses, JobInputs):
    """One job, its engine, and what the supervisor has done so far. `Life` sets the fields."""

    had_files: bool
    grace: float
    boots: int
    offset: float
    skew: timedelta
    engine_stopped: bool
    order_given: bool
    events: list[tuple[str, str | None, int | None]]
    event_ids: list[str]
    read: int
    damaged: dict[tuple[str, int], report.Heading]
    unread_in: set[int]
    past: list[facts.Fact]
    next_actions: list[type[object]]
    late: str

    def apply(self, fact: facts.Fact) -> None:
        before = self.record
        result = step(before, self.spec, fact, self.now)
        numbered, events = number(result.record, self.spec, result.drafts, self.now)
        self.record = decode_record(encode_record(numbered))
        assert self.record == numbered
        for draft, stored in zip(result.drafts, events, strict=True):
            sequence = decode_sequence(stored.body)
            passes = self.spec.callback is None or self.spec.callback.wants(draft.type)
            assert stored.deliver == (passes and self.spec.callback is not None)
            assert (sequence is not None) == passes
            self.check_exit_code(draft)
            documented, required = event_fields()[draft.type]
            assert required <= set(draft.data) <= documented, draft.type
            self.events.append((draft.type, draft.data.get("artifactId"), sequence))
            self.event_ids.append(stored.event_id)
        self.check_time_limit(before)
        if before.ended:
            assert (self.record.status, self.record.reason, self.record.exit_code) == (
                before.status,
                before.reason,
                before.exit_code,
            )
            assert not events
        self.past.append(fact)

    def check_exit_code(self, draft: event_drafts.Draft) -> None:
        """Asserts that an event has the exit code of the job's view, and -1 if the view has none."""
        if draft.type in (event.EXIT, event.COMPLETE, event.RETRY):
            source = self.record.earlier[-1] if draft.type == event.RETRY else self.record
            assert draft.data["exitCode"] == (-1 if source.exit_code is None else source.exit_code), (
                draft.type
            )

    @property
    def image_ready(self) -> bool:
        return self.record.setup is not None and self.record.setup.image is not None

    def read_reports(self, most: int = 1000) -> None:
        """Continues reading the sidecar's log; after a restart from the beginning."""
        box = self.engine.sidecar
        while box is not None and self.read < len(box.said) and most:
            said = box.said[self.read]
            self.read += 1
            most -= 1
            heading = self.damaged.get((box.facts.id, self.read))
            if heading is None:
                self.apply(facts.Reported(said, self.order_given, all_read=True))
                continue
            sidecar, attempt = self.record.sidecar, self.record.attempt
            forgiven = heading.artifact_id is not None and attempt.artifacts[heading.artifact_id].optional
            if sidecar and not forgiven and (heading.n is None or heading.n > sidecar.report_n):
                self.unread_in.add(attempt.number)
            self.apply(facts.ReportUnread("cannot be read", heading))

    def observe(self) -> None:
        observation = self.engine.look()
        if self.engine_stopped:
            observation = Observation(with_engine(observation.worker), with_engine(observation.sidecar))
        over = observation.sidecar is not None and observation.sidecar.state in (
            ContainerState.ENDED,
            ContainerState.GONE,
        )
        if over and self.record.phase in ("inputs", "outputs"):
            self.read_reports()
        before, worker = self.record, observation.worker
        self.apply(facts.Observed(observation, reports_drained=over))
        if self.engine_stopped and worker is not None and worker.attempt == before.attempt.number:
            self.check_lost_with_the_engine(before, worker)
        watched = observation.sidecar if before.phase == "inputs" else worker
        self.engine_stopped &= watched is None or watched.state is not ContainerState.RUNNING
        self.observation = observation

    def check_lost_with_the_engine(self, before: Record, worker: ContainerFacts) -> None:
        if not isinstance(before.state, Running) or before.state.worker is None or before.end_ordered:
            return
        if worker.ended:
            again = self.record.attempt.number > before.attempt.number
            failed = self.record.earlier[-1] if again else self.record
            assert (failed.reason, failed.exit_code) == ("lost", None)
        elif worker.error:
            doubted = before.state.worker.change(in_doubt=True)
            assert self.record == before.with_state(before.state.change(worker=doubted)), (
                "jobd creates it again"
            )


def decode_sequence(body: bytes) -> int | None:
    return msgspec.json.decode(body, type=event.CloudEvent).jobsequence
