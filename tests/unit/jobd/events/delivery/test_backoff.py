"""Waits are spread over the whole of a bound that doubles up to a limit."""

from hypothesis import given
from hypothesis import strategies as st

from jobd.events.delivery.backoff import FullJitter


@given(st.integers(0, 10_000), st.floats(0, 1, exclude_max=True), st.floats(0.001, 10), st.floats(0.001, 100))
def test_a_wait_stays_below_its_bound(attempt: int, spread: float, initial: float, longest: float) -> None:
    policy = FullJitter(3, initial, longest, lambda: spread)
    assert 0 <= policy.get_timeout(attempt) <= policy.bound_s(attempt) <= longest
    assert policy.bound_s(attempt) <= policy.bound_s(attempt + 1)


def test_the_bound_doubles_to_its_limit() -> None:
    policy = FullJitter(3, 0.1, 1.0)
    assert [round(policy.bound_s(attempt), 3) for attempt in range(6)] == [0.1, 0.2, 0.4, 0.8, 1.0, 1.0]


def test_the_whole_of_it_is_used() -> None:
    assert FullJitter(3, 1, 8, lambda: 0.0).get_timeout(2) == 0
    assert FullJitter(3, 1, 8, lambda: 0.5).get_timeout(2) == 2
