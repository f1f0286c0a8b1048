import pytest

from scripts.bench.lag import own_delays, percentile, waits_of


def test_a_blocked_loop_counts_for_each_callback_that_would_have_been_due() -> None:
    assert waits_of([(1.0, 0.020)], 0.0, 2.0) == pytest.approx([0.020, 0.015, 0.010, 0.005])
    assert waits_of([(1.0, 0.0121)], 0.0, 2.0) == pytest.approx([0.0121, 0.0071, 0.0021])
    assert waits_of([(1.0, 0.0001), (1.1, 0.0)], 0.0, 2.0) == [0.0001, 0.0]


def test_only_the_time_of_the_load_counts() -> None:
    delays = [(0.9, 0.001), (1.0, 0.002), (1.5, 0.003), (2.0, 0.004), (2.1, 0.0045)]
    assert waits_of(delays, 1.0, 2.0) == [0.002, 0.003, 0.004]


@pytest.mark.parametrize(
    ("count", "share", "expected"),
    [(1, 0.999, 1), (1000, 0.999, 999), (1001, 0.999, 1000), (4, 0.5, 2), (4, 0.0, 1)],
)
def test_a_percentile_is_a_measured_value(count: int, share: float, expected: int) -> None:
    assert percentile([float(n) for n in range(count, 0, -1)], share) == expected


def test_the_time_in_which_the_kernel_ran_others_is_no_delay_of_jobd() -> None:
    samples = [(1.0, 0.020, 0.005), (2.0, 0.004, 0.006), (3.0, 0.030, 0.0)]
    assert own_delays(samples) == [(1.0, 0.005), (2.0, 0.004), (3.0, 0.0)]
