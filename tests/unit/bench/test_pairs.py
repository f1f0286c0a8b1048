from collections.abc import Callable

import pytest

from scripts.bench.pairs import Budget, Result, Spread, measure, sample, spread

TIMES = Budget("P1", "ours", "theirs", 1.25)
RATES = Budget("P2", "ours", "theirs", 0.9, "at-least", "jobs/s")
MEMORY = Budget("P9", "ours", bound=80, unit="MB")
SHOWN = Budget("P3-true", "ours")


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        ([3.0], Spread(3, 3, 3)),
        ([4.0, 2.0], Spread(3, 2.5, 3.5)),
        ([5.0, 1.0, 2.0, 3.0, 4.0], Spread(3, 2, 4)),
    ],
)
def test_a_spread_is_the_median_with_its_quartiles(samples: list[float], expected: Spread) -> None:
    assert spread(samples) == expected


def test_the_ratio_is_the_median_of_the_ratios_of_pairs() -> None:
    """Not the ratio of the medians: a pair shares the machine's load of its moment."""
    ratio = Result(TIMES, [1.0, 20.0, 3.0], [1.0, 10.0, 1.0]).ratio
    assert ratio == Spread(2.0, 1.5, 2.5)


@pytest.mark.parametrize(
    ("result", "within"),
    [
        (Result(TIMES, [1.25], [1.0]), True),
        (Result(TIMES, [1.26], [1.0]), False),
        (Result(RATES, [0.9], [1.0]), True),
        (Result(RATES, [0.89], [1.0]), False),
        (Result(MEMORY, [70.0, 80.0, 90.0]), True),
        (Result(MEMORY, [81.0]), False),
        (Result(SHOWN, [1000.0]), None),
    ],
)
def test_a_budget_bounds_the_ratio_or_the_figure_itself(result: Result, within: bool | None) -> None:
    assert result.within is within


def test_a_row_that_is_compared_with_nothing_has_no_ratio() -> None:
    assert Result(MEMORY, [70.0]).ratio is None


def recorded(calls: list[str], name: str, value: float) -> Callable[[], float]:
    def call() -> float:
        calls.append(name)
        return value

    return call


def test_pairs_alternate_their_order() -> None:
    calls: list[str] = []
    result = measure(TIMES, recorded(calls, "a", 1.0), recorded(calls, "b", 2.0), 3, 60)
    assert calls == ["a", "b", "b", "a", "a", "b"]
    assert (result.ours, result.theirs) == ([1.0] * 3, [2.0] * 3)


def test_at_least_two_pairs_and_two_samples_are_taken_when_the_time_is_over() -> None:
    calls: list[str] = []
    measure(TIMES, recorded(calls, "a", 1.0), recorded(calls, "b", 2.0), 9, -1)
    sample(SHOWN, recorded(calls, "c", 1.0), 9, -1)
    assert calls == ["a", "b", "b", "a", "c", "c"]
