"""jobd's part of the rule machine of one job: the supervisor's turns on a model engine."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import msgspec

from jobd.jobs.job_repository import number
from jobd.jobs.port.model import (
    ContainerFacts,
    ContainerState,
    EndCause,
    ImageFacts,
    Observation,
    Role,
)
from jobd.jobs.record.parts import OutputState
from jobd.jobs.record.record import Record
from jobd.jobs.record.record_form import decode_record, encode_record
from jobd.jobs.record.states import Queued, Running
from jobd.jobs.state import actions, event_drafts, facts
from jobd.jobs.state.machine import step
from jobd.jobs.state.next_action import next_action
from jobd.wire import event, report
from scripts.check_docs import event_fields
from tests.support.models.job_pauses import JobPauses

MOST_TURNS = 300
MOST_TURNS_WITHOUT_WAIT = 25


def with_engine(observation: ContainerFacts | None) -> ContainerFacts | None:
    """Returns an adapter's facts of a container whose end, or failed start, the engine's stop has caused."""
    if observation is None or not (observation.ended or observation.error):
        return observation
    return (
        replace(observation, cause=EndCause.ENGINE_STOPPED)
        if observation.ended
        else replace(observation, start_may_pass=True)
    )


class JobTurns(JobPauses):
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

    def carry_out(self, fault: str) -> actions.Action:
        """Runs one turn of the supervisor; returns the action."""
        action = next_action(self.record, self.observation, self.now, group_paused=self.group_paused)
        self.next_actions.append(type(action))
        match action:
            case actions.Admit() if self.record.scheduling.after:
                self.apply(facts.DependencyEnded(self.record.scheduling.after[0].uid, "completed"))
            case actions.Admit():
                self.apply(facts.Admitted())
            case actions.Prepare() if fault == "refused":
                self.apply(facts.SetupFailed("refused-by-engine", "no"))
            case actions.Prepare() if fault == "lost-before" and not self.image_ready:
                pass  # the pull has failed
            case actions.Prepare():
                if not self.image_ready:
                    self.apply(facts.ImageReady(ImageFacts("sha256:1", None)))
                created = self.engine.create(self.record.attempt.number)
                self.read = 0
                if fault == "none":
                    self.apply(facts.Prepared(created))
            case actions.StartSidecar():
                self.apply(facts.SidecarStarting())
                self.read = 0
                self.observation = None
                if self.record.sidecar is not None and self.engine.sidecar is not None:
                    if fault == "lost-before":
                        self.engine.late_starts.append(self.engine.sidecar)
                    else:
                        self.engine.start(self.engine.sidecar, self.engine_now)
            case actions.FreezeWorker():
                self.freeze(fault)
            case actions.ThawWorker():
                self.thaw(fault)
            case actions.RemoveUnstarted(role):
                self.remove_unstarted(role, fault)
            case actions.StartWorker():
                self.start_worker(fault)
            case actions.Observe() if fault == "none":
                self.observe()
            case actions.TellSidecar():
                box = self.engine.sidecar
                if fault != "lost-before" and box is not None and box.running and box.said:
                    box.notified = True
                if fault != "lost-after":
                    self.apply(facts.SidecarNotified())
            case actions.CollectOutputs() if fault == "none":
                self.apply(facts.OutputsCollected({"f": OutputState(status="kept", bytes=1)}))
            case actions.CollectOutputs() if fault == "refused":
                self.apply(
                    facts.OutputsCollected({"f": OutputState(status="missing")}, "output-failed", "no f")
                )
            case actions.DrainLogs() if fault == "none":
                self.apply(facts.LogsDrained())
            case actions.Signal(role, kill):
                box = self.engine.worker if role == "worker" else self.engine.sidecar
                self.check_signal()
                if fault != "lost-before" and (kill or fault != "refused"):
                    self.engine.end(box, 137 if kill else 143, self.engine_now)
                if fault != "lost-after":
                    self.apply(facts.StopSent(kill))
            case actions.Remove():
                assert self.record.ended or self.has_leftovers, "by force only after the stored end"
                self.engine.drop("worker")
                self.engine.drop("sidecar")
                if fault != "lost-after":
                    self.apply(facts.Cleaned())
            case _:
                pass
        if fault != "none":
            self.observation = None
        return action

    def start_worker(self, fault: str) -> None:
        self.apply(facts.WorkerStarting())
        if self.record.phase != "running" or self.record.worker_over:
            return
        self.observation = None
        if fault == "refused":
            self.apply(facts.WorkerStartFailed(127, "no such file"))
        elif fault == "lost-before":
            self.engine.ask_to_start(self.engine.worker)
            if self.engine.worker is not None:
                self.engine.late_starts.append(self.engine.worker)
        else:
            self.engine.ask_to_start(self.engine.worker)
            self.engine.start(self.engine.worker, self.engine_now)

    def remove_unstarted(self, role: Role, fault: str) -> None:
        """`refused`: the start arrives just before the removal. `lost-after`: the removal succeeds, and its answer is lost."""
        container_id = self.record.worker_id if role == "worker" else self.record.sidecar_id
        if fault == "lost-before" or container_id is None:
            return
        late = self.late if fault == "refused" else "nothing"
        fate = self.engine.remove_unstarted(role, container_id, late, self.engine_now)
        self.observation = None
        if fault == "lost-after":
            return
        if fate.kind == "never":
            self.apply(facts.NeverStarted(role))
        elif fate.kind == "began" and fate.end is None:
            self.observe()
        elif role == "sidecar":
            self.apply(facts.Observed(Observation(None, fate.end), reports_drained=True))
        else:
            attempt = self.record.attempt.number
            end = fate.end if fate.end is not None and fate.end.exit_code != 137 else None
            self.apply(facts.Observed(Observation(end, None)))
            over = self.record.worker_over or self.record.attempt.number > attempt
            assert over, "a removed worker that ran is not created again in the same attempt"

    def wait(self, until: datetime | None) -> None:
        left = timedelta(seconds=2)
        if until is not None:
            left = min(left, max(until - self.now, timedelta(0)))
        self.pass_time(left)
        self.observation = None
        self.apply(facts.TimePassed())

    @property
    def may_start(self) -> bool:
        action = next_action(self.record, self.observation, self.now, group_paused=self.group_paused)
        return isinstance(action, actions.StartWorker)

    @property
    def engine_now(self) -> datetime:
        """The engine's clock, which may run on another machine and be wrong."""
        return self.now + self.skew

    @property
    def has_leftovers(self) -> bool:
        state = self.record.state
        return isinstance(state, Queued) and state.retry is not None and state.retry.leftovers

    def live_until(self, reached: Callable[[], bool]) -> None:
        busy = 0
        for _ in range(MOST_TURNS):
            if reached():
                return
            action = self.carry_out("none")
            busy += 1
            assert busy <= MOST_TURNS_WITHOUT_WAIT, f"never waits: {self.next_actions[-8:]}"
            if isinstance(action, actions.Wait):
                busy = 0
                self.engine.next_report(False, self.engine_now)
                self.read_reports()
                if self.record.phase == "running" and self.observation is not None and not self.is_frozen:
                    self.engine.end(self.engine.worker, 0, self.engine_now)
                self.wait(action.until)
        raise AssertionError(f"does not end: {self.next_actions[-8:]} in {self.record}")


def decode_sequence(body: bytes) -> int | None:
    return msgspec.json.decode(body, type=event.CloudEvent).jobsequence
