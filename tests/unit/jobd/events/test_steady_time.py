"""Time as it was seen to pass: no step of the wall clock makes an event older at once."""

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from jobd.events.steady_time import BELIEVED_S, STEP_S, SteadyTime
from jobd.testing.clock import FakeClock

START = datetime(2030, 1, 1, tzinfo=UTC)
DAY_S = 86_400.0
moves = st.lists(
    st.tuples(st.sampled_from(["advance", "jump"]), st.floats(0, 20 * DAY_S)), max_size=15
)  # fmt: skip


def made() -> tuple[FakeClock, SteadyTime]:
    clock = FakeClock(START)
    return clock, SteadyTime(clock)


def test_time_that_passes_is_seen() -> None:
    clock, time = made()
    clock.advance(9 * DAY_S)
    assert time.now() == clock.now()


def test_a_step_ahead_and_back_again_was_no_time() -> None:
    clock, time = made()
    clock.jump(8 * DAY_S)
    clock.advance(8)
    assert time.now() == START + timedelta(seconds=8)
    clock.jump(-8 * DAY_S)
    clock.advance(8)
    assert time.now() == clock.now() == START + timedelta(seconds=16)


def test_a_step_back_is_believed_at_once_and_the_way_forward_again_is_not() -> None:
    clock, time = made()
    clock.jump(-8 * DAY_S)
    assert time.now() == clock.now()
    clock.jump(8 * DAY_S)
    assert time.now() == START - timedelta(days=8)


def test_a_step_ahead_that_stands_is_believed_in_the_end() -> None:
    clock, time = made()
    clock.jump(8 * DAY_S)
    time.now()
    clock.advance(BELIEVED_S - 1)
    assert time.now() == clock.now() - timedelta(days=8)
    clock.advance(1)
    assert time.now() == clock.now()


def test_a_further_step_is_believed_no_sooner() -> None:
    clock, time = made()
    clock.jump(8 * DAY_S)
    time.now()
    clock.advance(BELIEVED_S / 2)
    clock.jump(8 * DAY_S)
    time.now()
    clock.advance(BELIEVED_S / 2)
    assert time.now() == clock.now() - timedelta(days=16)


def test_a_clock_that_is_kept_right_is_believed() -> None:
    clock, time = made()
    for _ in range(100):
        clock.advance(30)
        clock.jump(STEP_S / 2)
        assert time.now() == clock.now()


@settings(max_examples=40)
@given(moves)
def test_it_is_never_later_than_the_wall_clock_and_gains_no_more_than_what_passed(
    steps: list[tuple[str, float]],
) -> None:
    clock, time = made()
    before, waited_s = time.now(), BELIEVED_S
    for kind, seconds in steps:
        began = clock.monotonic()
        getattr(clock, kind)(seconds)
        waited_s = 0.0 if kind == "jump" else waited_s + seconds
        now = time.now()
        assert now <= clock.now()
        if waited_s < BELIEVED_S:
            passed = clock.monotonic() - began
            assert (now - before).total_seconds() <= passed + STEP_S + 1e-3
        before = now
