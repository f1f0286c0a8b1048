"""The progress line of a set, and the time that is left."""

from hypothesis import given
from hypothesis import strategies as st

from jobctl.sets.pace import WINDOW, Pace, ended_count, has_ended, line, summary

VIEW = {"id": "s", "total": 60, "waiting": 44, "running": 4, "completed": 11, "failed": 1, "cancelled": 0}


def test_the_line_has_the_numbers_that_are_not_zero() -> None:
    assert line(VIEW, None) == "s  12 of 60 done, 1 failed, 4 running, 44 waiting"
    assert line(VIEW, 200.0) == "s  12 of 60 done, 1 failed, 4 running, 44 waiting, about 3m20s left"
    assert summary(VIEW) == "11 completed, 1 failed"
    assert not has_ended(VIEW)
    assert has_ended({"id": "s", "total": 1, "waiting": 0, "running": 0, "unreadable": 1})
    assert ended_count({"unreadable": 1, "completed": 2}) == 3


def test_without_an_end_nothing_is_known() -> None:
    pace = Pace()
    assert pace.left_s(0, 5) is None
    pace.add(0, 3)
    pace.add(5, 3)
    assert pace.left_s(5, 5) is None


def test_ends_before_the_first_look_do_not_count() -> None:
    pace = Pace()
    pace.add(100, 50)
    pace.add(110, 55)
    assert pace.left_s(110, 10) == 20
    assert pace.left_s(110, 0) is None


@given(st.floats(0.1, 100), st.integers(1, 400), st.integers(1, 1000))
def test_a_steady_pace_is_continued(every_s: float, looks: int, remaining: int) -> None:
    pace = Pace()
    for number in range(looks + 1):
        pace.add(number * every_s, number)
    left = pace.left_s(looks * every_s, remaining)
    assert left is not None
    assert abs(left - remaining * every_s) <= 0.02 * remaining * every_s
    assert len(pace._seen) <= WINDOW
