"""The pauses of the rule machine of one job: the worker stands still, and its time limit too."""

from datetime import datetime, timedelta

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from jobd.jobs.port.model import Observation
from jobd.jobs.record.parts import Started
from jobd.jobs.record.record import Record
from jobd.jobs.state import actions, facts
from jobd.wire.job import JobSpec
from tests.support.models.model_engine import ModelEngine


class JobPauses(RuleBasedStateMachine):
    """`frozen_by_others`: another program has frozen the worker, whose time limit goes on. `unfrozen`: for how long the present
    attempt's worker, once its start was requested, has not been frozen.
    """

    spec: JobSpec
    now: datetime
    record: Record
    engine: ModelEngine
    observation: Observation | None
    group_paused: bool
    frozen_by_others: bool
    unfrozen: timedelta

    def apply(self, fact: facts.Fact) -> None:
        raise NotImplementedError

    def carry_out(self, fault: str) -> actions.Action:
        raise NotImplementedError

    def not_paused(self) -> None:
        self.group_paused = self.frozen_by_others = False
        self.unfrozen = timedelta(0)

    @rule(own=st.booleans(), paused=st.booleans())
    def a_user_pauses_or_resumes(self, own: bool, paused: bool) -> None:
        before = self.record
        if own:
            self.apply(facts.PauseRequested(paused))
            assert self.record.ended or self.record.paused == paused
        else:
            self.group_paused = paused
        assert (self.record.phase, self.record.frozen_s) == (before.phase, before.frozen_s)

    @precondition(lambda self: self.record.status == "running" and not self.record.worker_over)
    @rule(fault=st.sampled_from(["none", "refused", "lost-before", "lost-after"]))
    def a_running_job_is_paused(self, fault: str) -> None:
        """A rule of its own, because few walks would freeze a worker otherwise."""
        self.group_paused = True
        self.carry_out("none")
        self.carry_out(fault)

    @rule(frozen=st.booleans())
    def another_program_freezes_or_thaws_the_worker(self, frozen: bool) -> None:
        self.frozen_by_others |= frozen
        self.engine.freeze(self.engine.worker, frozen)
        self.observation = None

    def freeze(self, fault: str) -> None:
        self.apply(facts.WorkerFreezing())
        self.observation = None
        if self.record.end_ordered or fault == "lost-before":
            return
        if fault == "refused":
            self.apply(facts.FreezeRefused("no freezer"))
            return
        self.engine.freeze(self.engine.worker, True)
        if fault == "none":
            self.apply(facts.WorkerFrozen())

    def thaw(self, fault: str) -> None:
        self.apply(facts.WorkerThawing())
        self.observation = None
        if fault == "refused" and self.record.end_ordered:
            self.apply(facts.WorkerThawed())
        if fault in ("refused", "lost-before"):
            return
        self.engine.freeze(self.engine.worker, False)
        if fault == "none":
            self.apply(facts.WorkerThawed())

    def pass_time(self, time: timedelta) -> None:
        self.now += time
        if self.record.worker is None:
            self.unfrozen = timedelta(0)
        elif not self.is_frozen:
            self.unfrozen += time

    @property
    def is_frozen(self) -> bool:
        """True if the engine has frozen the worker."""
        return self.engine.worker is not None and self.engine.worker.facts.frozen

    def check_signal(self) -> None:
        worker = self.record.worker
        assert not isinstance(worker, Started) or worker.freeze is None, "a frozen worker handles no signal"

    def check_time_limit(self, before: Record) -> None:
        if self.record.timed_out and not before.timed_out and not self.frozen_by_others:
            assert self.unfrozen >= timedelta(seconds=self.spec.timeout_s), (
                "a pause takes nothing of the limit"
            )
