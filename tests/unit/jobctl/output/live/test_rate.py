"""How fast bytes move, and how long the rest takes."""

from hypothesis import given
from hypothesis import strategies as st

from jobctl.output.live.rate import MOST_SAMPLES, Rate, moved_text


def test_the_rate_is_that_of_the_last_seconds() -> None:
    rate = Rate()
    assert rate.bytes_per_s == 0.0
    for second in range(100):
        rate.add(second, second * 10 if second < 50 else 500 + (second - 50) * 100)
    assert rate.bytes_per_s == 100.0


def test_fewer_bytes_are_another_transfer() -> None:
    rate = Rate()
    for second, done in ((0, 0), (1, 1000), (2, 10), (3, 20)):
        rate.add(second, done)
    assert rate.bytes_per_s == 10.0


def test_what_is_unknown_is_left_out() -> None:
    assert moved_text(1 << 20, 4 << 20, 512 * 1024.0) == "1.0 MiB of 4.0 MiB  512.0 KiB/s  about 6s left"
    assert moved_text(1 << 20, None, 0.0) == "1.0 MiB"
    assert moved_text(2048, 1024, 10.0) == "2.0 KiB of 2.0 KiB  10 B/s"
    assert "left" not in moved_text(1, 1 << 50, 1.0), "a time of years helps nobody"


@given(st.lists(st.tuples(st.floats(0, 1e6), st.integers(0, 1 << 50))))
def test_any_samples_have_a_rate(samples: list[tuple[float, int]]) -> None:
    rate = Rate()
    for now_s, done in samples:
        rate.add(now_s, done)
        assert len(rate._samples) <= MOST_SAMPLES
        assert rate.bytes_per_s >= 0
