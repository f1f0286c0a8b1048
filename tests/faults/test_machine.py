"""Long random walks of the state machine through facts in any order."""

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from tests.support.models.job_life import Life


@pytest.mark.fault(
    row="Crash",
    injection="facts in any order: restarts, lost answers, clocks, users",
    invariant="one start per attempt, an end is final, no leftovers",
)
def test_any_order_of_facts() -> None:
    run_state_machine_as_test(
        Life, settings=settings(max_examples=400, stateful_step_count=50, deadline=None)
    )
