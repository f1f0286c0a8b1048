"""The standard input of the rule machine of one job: a client opens and ends it, a kill of jobd cuts it."""

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from jobd.jobs.record.record import Record
from jobd.jobs.state import facts


class JobInputs(RuleBasedStateMachine):
    """Facts may come late, twice and in any order: a session and a supervisor send them."""

    record: Record

    def apply(self, fact: facts.Fact) -> None:
        raise NotImplementedError

    @precondition(lambda self: self.record.phase == "running")
    @rule(facts_=st.lists(st.sampled_from(["opening", "ending", "cut"]), min_size=1, max_size=3))
    def an_input_is_opened_ended_or_cut(self, facts_: list[str]) -> None:
        for name in facts_:
            before = self.record.input
            if name == "opening":
                self.apply(facts.InputOpening())
            elif name == "ending":
                self.apply(facts.InputEnding())
            else:
                self.apply(facts.InputCut())
            assert (before, self.record.input) != ("ended", "cut"), "an ended input has nothing to lose"

    @invariant()
    def a_job_with_a_cut_input_does_not_succeed(self) -> None:
        if hasattr(self, "record") and self.record.input == "cut":
            assert self.record.status != "completed"
