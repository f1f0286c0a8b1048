"""A rule machine of one job: actions of jobd and external events in any order, with invariants.

Draws every fact of `jobd.jobs.state.facts`: a sidecar, users, restarts of jobd and of the engine, lost answers, clock steps.
"""

from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from jobd.jobs.port.model import (
    Observation,
)
from jobd.jobs.record.new_record import new_record
from jobd.jobs.record.parts import Ended, Starting
from jobd.jobs.record.scheduling import Awaited
from jobd.jobs.state import actions, facts
from jobd.jobs.state.handover import Takeover, Workspace, outputs_only
from jobd.jobs.state.next_action import AMBIGUOUS_START, next_action
from jobd.wire import event, report
from jobd.wire.artifact import Artifact, List, Read, Write
from jobd.wire.job import Callback, Dependency, JobSpec, Output
from tests.support.models.job_engine_rules import EngineRules
from tests.support.models.job_invariants import RETRIES, awaited
from tests.support.models.model_engine import ModelEngine

START = datetime(2030, 1, 1, tzinfo=UTC)

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
PHASES = ["queued", "start", "start-lost", "unstarted", "running", "over"]
"""The phases at which a walk begins, without faults before: few walks would reach the later phases by themselves."""
FAULTS = ["none", "none", "none", "none", "refused", "lost-before", "lost-after", "unsent"]
REQUESTS = ["none", "none", "none", "none", "cancel", "delete"]
FILTERS: list[list[str] | None] = [None, [], [event.EXIT], [event.COMPLETE, event.ARTIFACT]]


TAKEOVER = Takeover(
    workspace=Workspace(uid="earlier", id="earlier"), worker=Ended(asked_at=START, exit_code=0)
)


class Life(EngineRules):
    """One job: `turns` runs the supervisor, the other rules are external events. `repeats`: the job repeats an earlier job's outputs alone."""

    repeats = False

    @initialize(
        artifacts=st.sampled_from(ARTIFACTS),
        outputs=st.sampled_from([[], [], [Output(path="f", keep=True)]]),
        events=st.sampled_from(FILTERS),
        grace=st.sampled_from([0, 10]),
        retries=st.sampled_from([0, RETRIES]),
        has_spool=st.booleans(),
        phase=st.sampled_from(PHASES),
        after=st.sampled_from([[], [], ["x"], ["x", "y"]]),
    )
    def submit(
        self,
        artifacts: list[Artifact],
        outputs: list[Output],
        events: list[str] | None,
        grace: float,
        retries: int,
        has_spool: bool,
        phase: str,
        after: list[str],
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
            after=[Dependency(job=name, on="completed") for name in after],
        )
        if self.repeats:
            self.spec, phase, after = outputs_only(self.spec), "queued", []
        self.now = START
        self.grace = grace
        self.boots, self.offset = 1, 0.0
        self.skew = timedelta(0)
        self.record = new_record(
            self.spec,
            now=START,
            owner=None,
            digest="",
            has_spool=has_spool,
            boot="boot-1",
            after=[Awaited(uid=name, id=name) for name in after],
            takes=TAKEOVER if self.repeats else None,
        )
        self.had_files = has_spool
        self.engine_stopped = False
        self.not_paused()
        self.order_given = True
        self.observation = None
        self.engine = ModelEngine(self.spec, has_worker=not self.repeats)
        self.events = []
        self.event_ids = []
        self.read = 0
        self.damaged = {}
        self.unread_in = set()
        self.past = []
        self.next_actions = []
        self.late = "runs"

        reached = {
            "queued": lambda: True,
            "start": lambda: self.may_start,
            "start-lost": lambda: self.may_start,
            "unstarted": lambda: self.may_start,
            "running": lambda: self.record.status == "running",
            "over": lambda: self.record.worker_over,
        }
        self.live_until(reached[phase])
        if phase in ("start-lost", "unstarted"):
            self.carry_out("lost-before")
        if phase == "unstarted":
            self.pass_time(AMBIGUOUS_START)
            self.observe()
            assert isinstance(self.record.worker, Starting)
            assert self.record.worker.in_doubt

    @rule(faults=st.lists(st.sampled_from(FAULTS), min_size=1, max_size=8))
    def turns(self, faults: list[str]) -> None:
        for fault in faults:
            self.carry_out(fault)

    @precondition(lambda self: self.may_start)
    @rule(fault=st.sampled_from(["none", "refused", "lost-before", "lost-after"]))
    def the_worker_is_started(self, fault: str) -> None:
        """A rule of its own, because few walks would reach a lost start otherwise."""
        self.carry_out(fault)

    @rule(fails=st.booleans(), read=st.booleans())
    def the_sidecar_reports(self, fails: bool, read: bool) -> None:
        self.engine.next_report(fails, self.engine_now)
        if read:
            self.read_reports(most=2)

    @precondition(lambda self: self.record.phase == "inputs")
    @rule(order_given=st.booleans())
    def the_sidecar_refuses(self, order_given: bool) -> None:
        self.order_given = order_given
        box = self.engine.sidecar
        if box is not None and box.running and not box.said:
            box.said.append(report.Refused(n=1, error="cut"))
            self.engine.end(box, 2, self.engine_now)

    @rule(seconds=st.sampled_from([0.5, 2, 10, 61, 3700]))
    def time_passes(self, seconds: float) -> None:
        self.pass_time(timedelta(seconds=seconds))
        self.observation = None
        self.apply(facts.TimePassed())

    @rule(request=st.sampled_from(REQUESTS))
    def a_user_cancels_the_job(self, request: str) -> None:
        if request != "none":
            self.apply(facts.CancelRequested(by="x", grace_s=self.grace, delete=request == "delete"))

    @rule(name=st.sampled_from(["x", "y"]), status=st.sampled_from(["completed", "failed", "purged"]))
    def a_dependency_ends(self, name: str, status: str) -> None:
        waited = any(one.uid == name for one in self.record.scheduling.after)
        was_queued = self.record.phase == "queued"
        self.apply(facts.DependencyEnded(name, status))
        if waited and was_queued and status != "completed":
            assert (self.record.status, self.record.reason) == ("cancelled", "dependency")

    @rule(priority=st.integers(-100, 100), ticket=st.none() | st.integers(1, 9))
    def a_user_changes_the_priority(self, priority: int, ticket: int | None) -> None:
        before = self.record
        self.apply(facts.Reprioritized(priority, ticket))
        if before.phase != "queued":
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
    def an_old_report_is_repeated(self, data: st.DataObject) -> None:
        sidecar = self.record.sidecar
        report_n = sidecar.report_n if sidecar else 0
        old = [fact for fact in self.past if isinstance(fact, facts.Reported) and fact.report.n <= report_n]
        if old:
            before = self.record
            self.apply(data.draw(st.sampled_from(old)))
            assert self.record == before

    def teardown(self) -> None:
        """Asserts that the job ends without further faults, and that a deleted job leaves nothing."""
        if not hasattr(self, "record"):
            return
        self.group_paused = False
        self.apply(facts.PauseRequested(paused=False))
        self.live_until(lambda: self.record.ended)
        self.apply(facts.CancelRequested(by="x", grace_s=0, delete=True))
        self.live_until(lambda: self.record.removal is not None)
        assert next_action(self.record, None, self.now) == actions.Done()
        assert self.engine.look() == Observation(None, None)
        self.complete_and_the_final_status_match()
        self.each_event_is_in_order()
        self.numbers_have_no_gap()
        self.a_worker_runs_once_at_most()
        self.a_removed_job_has_no_leftovers()
