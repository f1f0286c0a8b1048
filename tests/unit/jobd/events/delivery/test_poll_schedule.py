"""The planned reads of destinations: bounded, the earliest kept; a clock that is set back delays no read."""

from datetime import timedelta

from jobd.events.delivery.poll_schedule import MAX_DESTINATIONS, PollSchedule
from tests.support.fakes.clock import FakeClock

A = "http://a.test:80"


def test_of_more_destinations_than_are_remembered_the_soonest_are() -> None:
    clock = FakeClock()
    schedule = PollSchedule(clock, 3600)
    for n in range(MAX_DESTINATIONS + 50):
        schedule.add(f"http://h{n}.test:80", clock.now() + timedelta(seconds=n))
    for n in range(50):
        schedule.add(f"http://soon{n}.test:80", clock.now())
    assert not schedule.add("http://soon0.test:80", clock.now() + timedelta(seconds=9))
    assert len(schedule) == MAX_DESTINATIONS
    planned = dict(schedule.items())
    assert planned["http://soon0.test:80"] == clock.now()
    assert max(planned.values()) == clock.now() + timedelta(seconds=MAX_DESTINATIONS - 51)


def test_a_sooner_time_replaces_a_later_one_and_no_other() -> None:
    clock = FakeClock()
    schedule = PollSchedule(clock, 3600)
    for seconds, changes in ((5, True), (9, False), (5, False), (1, True)):
        assert schedule.add(A, clock.now() + timedelta(seconds=seconds)) == changes
    assert not schedule.is_overdue(A)
    clock.advance(1)
    assert schedule.is_overdue(A)
    schedule.remove(A)
    assert A not in schedule
    assert not schedule.is_overdue(A)


def test_a_time_beyond_the_longest_wait_is_due() -> None:
    clock = FakeClock()
    schedule = PollSchedule(clock, 60)
    assert schedule.is_due(clock.now())
    assert not schedule.is_due(clock.now() + timedelta(seconds=60))
    assert schedule.is_due(clock.now() + timedelta(seconds=61))
