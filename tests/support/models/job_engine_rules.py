"""The engine's part of the rule machine of one job: errors, ends, lost starts, stops, measurements and a wrong clock."""

from datetime import timedelta

from hypothesis import strategies as st
from hypothesis.stateful import rule

from jobd.jobs.port.model import EndCause, Usage
from jobd.jobs.record.parts import Started
from jobd.jobs.state import facts
from tests.support.models.job_invariants import JobInvariants

ENGINE_ERROR_LIMIT_S = 100.0


class EngineRules(JobInvariants):
    """What the engine does by itself, or what becomes of its containers there."""

    @rule(
        action=st.sampled_from(["Prepare", "Observe", "StartWorker", "TellSidecar", "Remove"]),
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

    @rule(action=st.sampled_from(["Prepare", "Observe", "StartWorker", "TellSidecar", "Remove"]))
    def the_engine_answers_again(self, action: str) -> None:
        before = self.record
        self.apply(facts.EngineAnswered(action))
        errors = before.attempt.engine_errors
        if errors is not None and errors.action == action and not before.ended:
            assert self.record.attempt.engine_errors is None

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
    def a_user_removes_a_container(self, which: str) -> None:
        self.engine.drop(which)
        self.observation = None

    @rule()
    def the_engine_forgets_its_events(self) -> None:
        """The engine keeps 256 events."""
        self.engine.gone = {}

    @rule(late=st.sampled_from(["runs", "ends"]))
    def a_start_arrives_with_the_removal(self, late: str) -> None:
        self.late = late

    @rule()
    def a_start_that_was_lost_arrives_late(self) -> None:
        self.engine.arrive(self.engine_now)

    @rule(code=st.sampled_from([0, 137, 143]), starting=st.booleans())
    def the_engine_is_stopped(self, code: int, starting: bool) -> None:
        if starting and self.record.worker is not None:
            self.engine.refuse_to_start(self.engine.worker)
        self.engine.stop(code, self.engine_now)
        self.engine_stopped = True
        self.observation = None

    @rule(cpu_s=st.floats(0, 1e6), peak=st.integers(1, 1 << 40))
    def the_worker_is_measured(self, cpu_s: float, peak: int) -> None:
        before = self.record
        self.apply(facts.Measured(Usage(cpu_s, peak)))
        if isinstance(before.worker, Started):
            assert self.record.usage is not None
            known = before.usage.memory_peak_bytes if before.usage else 0
            assert self.record.usage.memory_peak_bytes == max(peak, known)
        else:
            assert self.record == before

    @rule(seconds=st.sampled_from([-86400.0, -0.3, 0.0, 0.3, 86400.0]))
    def the_engines_clock_is_set(self, seconds: float) -> None:
        self.skew = timedelta(seconds=seconds)
