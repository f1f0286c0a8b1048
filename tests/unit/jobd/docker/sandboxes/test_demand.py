"""How many sandboxes are wanted."""

from hypothesis import given
from hypothesis import strategies as st

from jobd.docker.sandboxes.demand import MINIMUM, REMEMBERED_S, Demand


def test_nothing_is_wanted_before_the_first_job() -> None:
    demand = Demand(8)
    assert demand.wanted(1000.0) == 0
    demand.changed(0, 1000.0)
    assert demand.wanted(1000.0) == 0


def test_jobs_one_after_another_need_one_sandbox() -> None:
    demand = Demand(8)
    for now in range(1000, 1010):
        for in_use in (1, 0):
            demand.changed(in_use, float(now))
            assert demand.wanted(float(now)) == 1


def test_as_many_are_wanted_as_jobs_ran_at_once_and_later_one() -> None:
    demand = Demand(8)
    for in_use in (1, 2, 3, 2, 1, 0):
        demand.changed(in_use, 1000.0)
    assert demand.wanted(1000.0 + REMEMBERED_S - 1) == 3
    assert demand.wanted(1000.0 + REMEMBERED_S) == MINIMUM


def test_jobs_that_still_run_stay_the_demand() -> None:
    demand = Demand(8)
    demand.changed(5, 1000.0)
    assert demand.wanted(1000.0 + 10 * REMEMBERED_S) == 5


def test_jobs_that_use_their_network_keep_one_sandbox_until_they_stop() -> None:
    demand = Demand(8)
    demand.changed(8, 1000.0)
    for _ in range(3):
        demand.released(False)
    assert demand.wanted(1000.0) == MINIMUM
    for _ in range(3):
        demand.released(True)
    assert demand.wanted(1000.0) == 8


@given(st.integers(0, 8), st.lists(st.tuples(st.integers(0, 12), st.floats(0, 100)), max_size=30))
def test_the_bound_is_never_exceeded(bound: int, steps: list[tuple[int, float]]) -> None:
    demand, now = Demand(bound), 0.0
    for in_use, pause in steps:
        now += pause
        demand.changed(in_use, now)
        assert min(in_use, bound) <= demand.wanted(now) <= bound
