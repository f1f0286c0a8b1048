"""The planned reads of destinations: bounded, the earliest kept."""

from jobd.events.delivery.queues.poll_schedule import MAX_DESTINATIONS, PollSchedule

A = "http://a.test:80"


class Observed:
    """The observed time, which tests move."""

    def __init__(self) -> None:
        self.ms = 5_000

    def now_ms(self) -> int:
        return self.ms


def test_of_more_destinations_than_are_remembered_the_soonest_are() -> None:
    schedule = PollSchedule(Observed().now_ms)
    for n in range(MAX_DESTINATIONS + 50):
        schedule.add(f"http://h{n}.test:80", 5_000 + n)
    for n in range(50):
        schedule.add(f"http://soon{n}.test:80", 5_000)
    assert not schedule.add("http://soon0.test:80", 5_009)
    assert len(schedule) == MAX_DESTINATIONS
    planned = dict(schedule.items())
    assert planned["http://soon0.test:80"] == 5_000
    assert max(planned.values()) == 5_000 + MAX_DESTINATIONS - 51


def test_a_sooner_time_replaces_a_later_one_and_no_other() -> None:
    observed = Observed()
    schedule = PollSchedule(observed.now_ms)
    for at_ms, changes in ((5_005, True), (5_009, False), (5_005, False), (5_001, True)):
        assert schedule.add(A, at_ms) == changes
    assert not schedule.is_overdue(A)
    observed.ms += 1
    assert schedule.is_overdue(A)
    schedule.remove(A)
    assert A not in schedule
    assert not schedule.is_overdue(A)


def test_a_wait_lasts_until_its_time_and_no_longer() -> None:
    observed = Observed()
    schedule = PollSchedule(observed.now_ms)
    assert (schedule.wait_s(6_500), schedule.is_due(6_500)) == (1.5, False)
    observed.ms = 6_500
    assert (schedule.wait_s(6_500), schedule.is_due(6_500)) == (0, True)
    observed.ms = 9_000
    assert (schedule.wait_s(6_500), schedule.is_due(6_500)) == (0, True)
