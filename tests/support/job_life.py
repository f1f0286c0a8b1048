"""A rule machine of one job: actions of jobd and external events in any order, with invariants.

Draws every fact of `jobd.jobs.state.facts`: a sidecar, users, restarts of jobd and of the engine, lost answers, clock steps.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import msgspec
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from jobd.jobs.job_repository import number
from jobd.jobs.port.model import (
    ContainerFacts,
    ContainerState,
    EndCause,
    ImageFacts,
    Observation,
    Role,
    Usage,
)
from jobd.jobs.state import actions, event_drafts, facts
from jobd.jobs.state.awaited_times import AWAITED
from jobd.jobs.state.machine import step
from jobd.jobs.state.new_record import new_record
from jobd.jobs.state.next_action import AMBIGUOUS_START, next_action
from jobd.jobs.state.parts import OutputState, Part, Started, Starting
from jobd.jobs.state.record import Record
from jobd.jobs.state.record_form import decode_record, encode_record
from jobd.jobs.state.states import CollectingOutputs, Queued, Running
from jobd.wire import event, report
from jobd.wire.artifact import Artifact, List, Read, Write, after_job
from jobd.wire.job import Callback, JobSpec, Output
from scripts.check_docs import event_fields
from tests.support.model_engine import ModelEngine

START = datetime(2030, 1, 1, tzinfo=UTC)
RETRIES = 2
ENGINE_ERROR_LIMIT_S = 100.0
MOST_TURNS = 300
MOST_TURNS_WITHOUT_WAIT = 25

ARTIFACTS: list[list[Artifact]] = [
    [],
    [Write(id="in", source="x", out="f")],
    [Read(id="out", source="f", depends="job", optional=True)],
    [
        Write(id="in", source="x", out="f"),
        Read(id="out", source="f", depends="job"),
        List(id="late", source=".", depends="out"),
        Write(id="in-2", source="x", out="g"),
    ],
]
STATIONS = ["queued", "start", "start-lost", "unstarted", "running", "over"]
"""The phases at which a walk begins, without faults before: few walks would reach the later phases by themselves."""
FAULTS = ["none", "none", "none", "none", "refused", "lost-before", "lost-after"]
REQUESTS = ["none", "none", "none", "none", "cancel", "delete"]
FILTERS: list[list[str] | None] = [None, [], [event.EXIT], [event.COMPLETE, event.ARTIFACT]]


def with_engine(observation: ContainerFacts | None) -> ContainerFacts | None:
    """Returns an adapter's facts of a container whose end, or failed start, the engine's stop has caused."""
    if observation is None or not (observation.ended or observation.error):
        return observation
    return (
        replace(observation, cause=EndCause.ENGINE_STOPPED)
        if observation.ended
        else replace(observation, start_may_pass=True)
    )


class Life(RuleBasedStateMachine):
    """One job: `turns` runs the supervisor, the other rules are external events."""

    @initialize(
        artifacts=st.sampled_from(ARTIFACTS),
        outputs=st.sampled_from([[], [], [Output(path="f", keep=True)]]),
        events=st.sampled_from(FILTERS),
        grace=st.sampled_from([0, 10]),
        retries=st.sampled_from([0, RETRIES]),
        has_spool=st.booleans(),
        station=st.sampled_from(STATIONS),
    )
    def submit(
        self,
        artifacts: list[Artifact],
        outputs: list[Output],
        events: list[str] | None,
        grace: float,
        retries: int,
        has_spool: bool,
        station: str,
    ) -> None:
        callback = None if events is None else Callback(url="http://h", events=events)
        self.spec = JobSpec(
            id="a",
            image="b",
            artifacts=artifacts,
            outputs=outputs,
            callback=callback,
            timeout_seconds=60,
            retries=retries,
        )
        self.now = START
        self.grace = grace
        self.boots, self.offset = 1, 0.0
        self.skew = timedelta(0)
        self.record = new_record(
            self.spec, now=START, owner=None, digest="", has_spool=has_spool, boot="boot-1"
        )
        self.engine_stopped = False
        self.order_given = True
        self.observation: Observation | None = None
        self.engine = ModelEngine(self.spec)
        self.events: list[tuple[str, str | None, int | None]] = []
        self.event_ids: list[str] = []
        self.read = 0
        self.damaged: dict[tuple[str, int], report.Heading] = {}
        self.unread_in: set[int] = set()
        self.past: list[facts.Fact] = []
        self.next_actions: list[type[object]] = []
        self.late = "runs"

        reached = {
            "queued": lambda: True,
            "start": lambda: self.may_start,
            "start-lost": lambda: self.may_start,
            "unstarted": lambda: self.may_start,
            "running": lambda: self.record.status == "running",
            "over": lambda: self.record.worker_over,
        }
        self.live_until(reached[station])
        if station in ("start-lost", "unstarted"):
            self.carry_out("lost-before")
        if station == "unstarted":
            self.now += AMBIGUOUS_START
            self.observe()
            assert isinstance(self.record.worker, Starting)
            assert self.record.worker.in_doubt

    # --- jobd

    def apply(self, fact: facts.Fact) -> None:
        before = self.record
        made = step(before, self.spec, fact, self.now)
        numbered, events = number(made.record, self.spec, made.drafts, self.now)
        self.record = decode_record(encode_record(numbered))
        assert self.record == numbered
        for draft, stored in zip(made.drafts, events, strict=True):
            sequence = decode_sequence(stored.body)
            passes = self.spec.callback is None or self.spec.callback.wants(draft.type)
            assert stored.deliver == (passes and self.spec.callback is not None)
            assert (sequence is not None) == passes
            self.check_exit_code(draft)
            documented, required = event_fields()[draft.type]
            assert required <= set(draft.data) <= documented, draft.type
            self.events.append((draft.type, draft.data.get("artifactId"), sequence))
            self.event_ids.append(stored.event_id)
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
            told = self.record.earlier[-1] if draft.type == event.RETRY else self.record
            assert draft.data["exitCode"] == (-1 if told.exit_code is None else told.exit_code), draft.type

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
            self.what_the_engine_ended_is_lost(before, worker)
        watched = observation.sidecar if before.phase == "inputs" else worker
        self.engine_stopped &= watched is None or watched.state is not ContainerState.RUNNING
        self.observation = observation

    def what_the_engine_ended_is_lost(self, before: Record, worker: ContainerFacts) -> None:
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
        action = next_action(self.record, self.observation, self.now)
        self.next_actions.append(type(action))
        match action:
            case actions.Admit():
                self.apply(facts.Admitted())
            case actions.Pull() if fault == "refused":
                self.apply(facts.SetupFailed("image-not-found", "no"))
            case actions.Pull() if fault == "none":
                self.apply(facts.ImageReady(ImageFacts("sha256:1", None, "")))
            case actions.Create() if fault == "refused":
                self.apply(facts.SetupFailed("refused-by-engine", "no"))
            case actions.Create():
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
            case actions.RemoveUnstarted(role):
                self.remove_unstarted(role, fault)
            case actions.StartWorker():
                self.start_worker(fault)
            case actions.Observe() if fault == "none":
                self.observe()
            case actions.TellSidecar():
                box = self.engine.sidecar
                if fault != "lost-before" and box is not None and box.running and box.said:
                    box.told = True
                if fault != "lost-after":
                    self.apply(facts.OutputsTold())
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
            told = fate.end if fate.end is not None and fate.end.exit_code != 137 else None
            self.apply(facts.Observed(Observation(told, None)))
            over = self.record.worker_over or self.record.attempt.number > attempt
            assert over, "a removed worker that ran is not created again in the same attempt"

    def wait(self, until: datetime | None) -> None:
        left = timedelta(seconds=2)
        if until is not None:
            left = min(left, max(until - self.now, timedelta(0)))
        self.now += left
        self.observation = None
        self.apply(facts.TimePassed())

    # --- external events

    @rule(
        action=st.sampled_from(["Create", "Observe", "StartWorker", "TellSidecar", "Remove"]),
        seen_s=st.sampled_from([0.0, 5.0, 60.0]),
    )
    def the_engine_answers_with_an_error(self, action: str, seen_s: float) -> None:
        before = self.record
        self.apply(facts.EngineErred(action, "the disk is full", seen_s, ENGINE_ERROR_LIMIT_S))
        self.observation = None
        if before.started_at is not None and not before.worker_over:
            assert before.end_ordered or self.record == before, "a running worker has its own limit"
        attempt = self.record.attempt
        if attempt.number == before.attempt.number and not before.ended and not self.record.worker_over:
            assert attempt.engine_errors is None or attempt.engine_errors.seconds < ENGINE_ERROR_LIMIT_S

    @rule(action=st.sampled_from(["Create", "Observe", "StartWorker", "TellSidecar", "Remove"]))
    def the_engine_answers_again(self, action: str) -> None:
        before = self.record
        self.apply(facts.EngineAnswered(action))
        errors = before.attempt.engine_errors
        if errors is not None and errors.action == action and not before.ended:
            assert self.record.attempt.engine_errors is None

    @rule(faults=st.lists(st.sampled_from(FAULTS), min_size=1, max_size=8))
    def turns(self, faults: list[str]) -> None:
        for fault in faults:
            self.carry_out(fault)

    @precondition(lambda self: self.may_start)
    @rule(fault=st.sampled_from(["none", "refused", "lost-before", "lost-after"]))
    def the_worker_is_started(self, fault: str) -> None:
        """A rule of its own, because few walks would reach a lost start otherwise."""
        self.carry_out(fault)

    @property
    def may_start(self) -> bool:
        return isinstance(next_action(self.record, self.observation, self.now), actions.StartWorker)

    @rule(fails=st.booleans(), heard=st.booleans())
    def the_sidecar_speaks(self, fails: bool, heard: bool) -> None:
        self.engine.next_report(fails, self.engine_now)
        if heard:
            self.read_reports(most=2)

    @precondition(lambda self: self.record.phase == "inputs")
    @rule(order_given=st.booleans())
    def the_sidecar_refuses(self, order_given: bool) -> None:
        self.order_given = order_given
        box = self.engine.sidecar
        if box is not None and box.running and not box.said:
            box.said.append(report.Refused(n=1, error="cut"))
            self.engine.end(box, 2, self.engine_now)

    @rule(code=st.sampled_from([0, 1, 137]), oom=st.booleans())
    def the_worker_ends(self, code: int, oom: bool) -> None:
        cause = EndCause.OUT_OF_MEMORY if oom and code == 137 else EndCause.OWN_EXIT
        self.engine.end(self.engine.worker, code, self.engine_now, cause)
        self.observation = None

    @rule(code=st.sampled_from([0, 1]))
    def the_sidecar_dies(self, code: int) -> None:
        self.engine.end(self.engine.sidecar, code, self.engine_now)
        self.observation = None

    @rule(which=st.sampled_from(["worker", "sidecar"]))
    def somebody_removes_a_container(self, which: str) -> None:
        self.engine.drop(which)
        self.observation = None

    @rule()
    def the_engine_forgets_its_events(self) -> None:
        """The engine keeps 256 events."""
        self.engine.gone = {}

    @rule(late=st.sampled_from(["runs", "ends"]))
    def what_a_start_that_arrives_with_the_removal_comes_to(self, late: str) -> None:
        self.late = late

    @rule()
    def a_start_that_was_lost_arrives_late(self) -> None:
        self.engine.arrive(self.engine_now)

    @rule(seconds=st.sampled_from([0.5, 2, 10, 61, 3700]))
    def time_passes(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        self.observation = None
        self.apply(facts.TimePassed())

    @rule(request=st.sampled_from(REQUESTS))
    def a_user_ends_it(self, request: str) -> None:
        if request != "none":
            self.apply(facts.CancelRequested(by="x", grace_s=self.grace, delete=request == "delete"))

    @rule(code=st.sampled_from([0, 137, 143]), starting=st.booleans())
    def the_engine_is_stopped(self, code: int, starting: bool) -> None:
        if starting and self.record.worker is not None:
            self.engine.refuse_to_start(self.engine.worker)
        self.engine.stop(code, self.engine_now)
        self.engine_stopped = True
        self.observation = None

    @rule(cpu_s=st.floats(0, 1e6), peak=st.integers(1, 1 << 40))
    def it_is_measured(self, cpu_s: float, peak: int) -> None:
        before = self.record
        self.apply(facts.Measured(Usage(cpu_s, peak)))
        if isinstance(before.worker, Started):
            assert self.record.usage is not None
            known = before.usage.memory_peak_bytes if before.usage else 0
            assert self.record.usage.memory_peak_bytes == max(peak, known)
        else:
            assert self.record == before

    @rule(seconds=st.sampled_from([-86400.0, -3.0, 3.0, 86400.0]), boots=st.booleans())
    def the_clock_is_set(self, seconds: float, boots: bool) -> None:
        """By hand, or by a boot, after which the offset does not show the clock's step."""
        before, left = self.record, self.time_left()
        self.boots += boots
        self.offset += seconds
        if not boots:
            self.now += timedelta(seconds=seconds)
        self.apply(facts.ClockMoved(f"boot-{self.boots}", self.offset))
        assert self.time_left() == left, "the time left stays the same"
        mark = self.record.clock
        assert self.record.ended or (mark.boot, mark.offset) == (
            f"boot-{self.boots}",
            self.offset,
        )
        self.apply(facts.ClockMoved(f"boot-{self.boots}", self.offset))
        assert self.record.phase == before.phase

    @property
    def engine_now(self) -> datetime:
        """The engine's clock, which may run on another machine and be wrong."""
        return self.now + self.skew

    @rule(seconds=st.sampled_from([-86400.0, -0.3, 0.0, 0.3, 86400.0]))
    def the_engines_clock_is_set(self, seconds: float) -> None:
        self.skew = timedelta(seconds=seconds)

    @invariant()
    def times_are_in_order(self) -> None:
        """In the record, in the view, and over all attempts, after any clock steps."""
        if not hasattr(self, "record"):
            return
        record = self.record
        moments: list[datetime | None] = [record.created_at]
        for attempt in record.earlier:
            moments += [attempt.started_at, attempt.exited_at]
        moments += [record.admitted_at, record.started_at, record.exited_at, record.finished_at]
        known = [moment for moment in moments if moment is not None]
        assert known == sorted(known), "created <= admitted <= started <= exited <= finished"

    def time_left(self) -> dict[str, timedelta]:
        if self.record.ended:
            return {}
        return {path: at - self.now for path, at in awaited(self.record.attempt)}

    @rule()
    def jobd_restarts(self) -> None:
        self.observation = None
        self.read = 0
        self.engine_stopped = False

    @rule(knows_number=st.booleans(), knows_artifact=st.booleans())
    def the_next_report_cannot_be_read(self, knows_number: bool, knows_artifact: bool) -> None:
        box = self.engine.sidecar
        if box is not None and self.read < len(box.said):
            said = box.said[self.read]
            # The report's number in the log, from 1, as in `read_reports`.
            self.damaged[box.facts.id, self.read + 1] = report.Heading(
                n=said.n if knows_number else None,
                artifact_id=getattr(said, "artifact_id", None) if knows_artifact else None,
            )

    @rule(data=st.data())
    def an_old_report_comes_again(self, data: st.DataObject) -> None:
        sidecar = self.record.sidecar
        report_n = sidecar.report_n if sidecar else 0
        old = [fact for fact in self.past if isinstance(fact, facts.Reported) and fact.report.n <= report_n]
        if old:
            before = self.record
            self.apply(data.draw(st.sampled_from(old)))
            assert self.record == before

    # --- invariants

    @invariant()
    def each_event_is_in_its_place(self) -> None:
        types = [kind for kind, _, _ in getattr(self, "events", [])]
        assert types.count(event.START) <= 1
        assert types.count(event.RETRY) <= RETRIES
        assert types.count(event.EXIT) <= 1
        assert types.count(event.COMPLETE) <= 1
        if event.COMPLETE in types:
            assert types[-1] == event.COMPLETE
            assert event.EXIT in types
        late = after_job(self.spec.artifacts) if types else frozenset()
        for index, (kind, artifact_id, _) in enumerate(getattr(self, "events", [])):
            if kind == event.ARTIFACT and artifact_id in late:
                assert event.EXIT in types[:index]
        ids = getattr(self, "event_ids", [])
        assert len(ids) == len(set(ids))

    @invariant()
    def numbers_have_no_gap(self) -> None:
        numbers = [sequence for _, _, sequence in getattr(self, "events", []) if sequence is not None]
        assert numbers == list(range(1, len(numbers) + 1))

    @invariant()
    def a_worker_runs_once_at_most(self) -> None:
        if hasattr(self, "engine"):
            assert all(count <= 1 for count in self.engine.runs.values())
            assert max(self.engine.runs, default=1) <= 1 + self.spec.retries

    @invariant()
    def complete_and_the_status_come_together(self) -> None:
        if hasattr(self, "record"):
            assert self.record.ended == any(kind == event.COMPLETE for kind, _, _ in self.events)
            assert self.record.ended == (self.record.phase == "done")
            assert self.record.status != "completed" or (
                self.record.exit_code == 0 and self.record.reason is None
            )

    @invariant()
    def a_report_that_could_not_be_read_is_told(self) -> None:
        if hasattr(self, "record") and self.record.attempt.number in self.unread_in:
            assert self.record.status != "completed"

    @invariant()
    def completed_says_that_the_outputs_are_there(self) -> None:
        if hasattr(self, "record") and self.record.status == "completed":
            wanted = {output.path for output in self.spec.outputs}
            there = {
                path for path, state in self.record.outputs.items() if state.status in ("kept", "present")
            }
            assert there == wanted
            assert not isinstance(self.record.state, CollectingOutputs)

    @invariant()
    def nothing_is_left_of_what_is_over(self) -> None:
        if hasattr(self, "record") and self.record.removal is not None:
            assert self.record.ended
            assert self.engine.look() == Observation(None, None)
            assert not self.record.has_spool

    @property
    def has_leftovers(self) -> bool:
        state = self.record.state
        return isinstance(state, Queued) and state.retry is not None and state.retry.leftovers

    def teardown(self) -> None:
        """Asserts that the job ends without further faults, and that a deleted job leaves nothing."""
        if not hasattr(self, "record"):
            return
        self.live_until(lambda: self.record.ended)
        self.apply(facts.CancelRequested(by="x", grace_s=0, delete=True))
        self.live_until(lambda: self.record.removal is not None)
        assert next_action(self.record, None, self.now) == actions.Done()
        assert self.engine.look() == Observation(None, None)
        self.complete_and_the_status_come_together()
        self.each_event_is_in_its_place()
        self.numbers_have_no_gap()
        self.a_worker_runs_once_at_most()
        self.nothing_is_left_of_what_is_over()

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
                if self.record.phase == "running" and self.observation is not None:
                    self.engine.end(self.engine.worker, 0, self.engine_now)
                self.wait(action.until)
        raise AssertionError(f"does not end: {self.next_actions[-8:]} in {self.record}")


def awaited(part: Part, path: str = "") -> Iterator[tuple[str, datetime]]:
    """Yields the awaited times in a part and the parts in it, each with its path."""
    for name in part.__struct_fields__:
        value = getattr(part, name)
        if isinstance(value, Part):
            yield from awaited(value, f"{path}{name}.")
        elif isinstance(value, datetime) and name in AWAITED:
            yield path + name, value


def decode_sequence(body: bytes) -> int | None:
    return msgspec.json.decode(body, type=event.CloudEvent).jobsequence
