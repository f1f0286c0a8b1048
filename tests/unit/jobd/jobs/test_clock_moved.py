"""Setting the wall clock changes no limit: awaited times move with the clock."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobd.jobs.state import facts

DAY_S = 86400.0


def test_a_deadline_moves_with_the_clock(job: Callable[..., Any]) -> None:
    a = job(timeout_seconds=60)
    a.tell(facts.ClockMoved("boot", 1000.0))
    a.to("running")
    deadline = a.record.worker.deadline
    a.later(DAY_S).tell(facts.ClockMoved("boot", 1000.0 + DAY_S))
    assert a.record.worker.deadline == deadline + timedelta(seconds=DAY_S)
    assert not a.tell(facts.TimePassed()).record.timed_out
    assert a.later(65).tell(facts.TimePassed()).record.timed_out


@pytest.mark.parametrize("engine_is_off_s", [DAY_S, -DAY_S])
def test_the_limit_is_counted_by_our_own_clock(job: Callable[..., Any], engine_is_off_s: float) -> None:
    a = job(timeout_seconds=60).to("ready").tell(facts.WorkerStarting()).later(2)
    worker = replace(a.container("running"), started_at=a.now + timedelta(seconds=engine_is_off_s))
    a.look(worker)
    assert a.now + timedelta(seconds=58) <= a.record.worker.deadline <= a.now + timedelta(seconds=60)


def test_another_boot_changes_only_the_clock_mark(job: Callable[..., Any]) -> None:
    a = job()
    a.tell(facts.ClockMoved("one", 5.0))
    a.to("running")
    before = a.record
    a.tell(facts.ClockMoved("two", 99999.0))
    assert (a.record.clock.boot, a.record.clock.offset) == ("two", 99999.0)
    assert a.record.worker.deadline == before.worker.deadline


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=5))
def test_moving_there_and_back_changes_nothing(job: Callable[..., Any], offsets: list[float]) -> None:
    a = job()
    a.tell(facts.ClockMoved("boot", 0.0))
    a.to("running")
    before = a.record
    a.tell(*(facts.ClockMoved("boot", offset) for offset in offsets), facts.ClockMoved("boot", 0.0))
    assert a.record.worker.deadline is not None
    assert before.worker.deadline is not None
    assert abs(a.record.worker.deadline - before.worker.deadline) < timedelta(milliseconds=1)
