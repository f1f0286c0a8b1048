"""The poller's state of jobs and destinations that are not loaded."""

from typing import Any

from jobd.events.delivery.policies.breaker import Breakers
from jobd.events.delivery.queues.destination_queues import DestinationQueues
from jobd.events.delivery.queues.outbox_poller import MAX_NOTIFIED, OutboxPoller
from jobd.events.delivery.queues.poll_schedule import MAX_DESTINATIONS, PollSchedule
from jobd.events.delivery.queues.work_queue import WorkQueue
from jobd.store.tables.delivery_rows import DestinationDue, Due
from tests.support.fakes.clock import FakeClock
from tests.unit.jobd.events.delivery.queues.test_destination_queues import due

A = "http://a.test:80"


class Nothing:
    """An outbox without deliveries."""

    async def destinations(self, after: str, limit: int) -> list[DestinationDue]:
        return []

    async def due(self, destination: str, limit: int, ahead: int = 0) -> list[Due]:
        return []

    async def due_of(self, uids: Any, ahead: int = 0) -> list[Due]:
        return []


class Rig:
    """A poller with its queue, its schedule and a clock that tests move."""

    def __init__(self, outbox: Nothing) -> None:
        self.clock = FakeClock()
        self.queues = DestinationQueues(1, 10)
        self.schedule = PollSchedule(lambda: int(self.clock.uptime() * 1000))
        breakers = Breakers(1, 30, lambda destination, state: None)
        queue = WorkQueue(self.queues, breakers, self.clock, lambda: None)
        expiry: Any = Expiring()
        self.poller = OutboxPoller(outbox, queue, breakers, expiry, self.schedule, self.clock)


class Expiring:
    """Parks nothing."""

    def begin_scan(self) -> None:
        pass


async def test_notifications_for_jobs_that_were_dropped_are_forgotten() -> None:
    rig = Rig(Nothing())
    for n in range(500):
        assert rig.queues.hold(due(f"j{n}", A, n))
        rig.poller.notify(f"j{n}")
        rig.queues.forget(A)
        rig.poller.forgotten(A)
    assert rig.poller._notified_in_memory == set()
    assert [destination for destination, _ in rig.schedule.items()] == [A]


async def test_notifications_are_remembered_for_few_jobs() -> None:
    rig = Rig(Nothing())
    rig.queues.hold(due("held", A))
    for n in range(MAX_NOTIFIED + 100):
        rig.poller.notify(f"j{n}")
        rig.poller.notify("held")
    assert len(rig.poller._notified) == MAX_NOTIFIED
    assert rig.poller._notified_in_memory == {"held"}


async def test_a_destination_that_leaves_the_schedule_while_others_are_read_stops_nothing() -> None:
    class Sooner(Nothing):
        """While the first destination is read, another one becomes due before all others."""

        async def due(self, destination: str, limit: int, ahead: int = 0) -> list[Due]:
            for n in range(2):
                rig.poller.poll_at(f"http://sooner{n}.test:80", -3_600_000)
            return []

    rig = Rig(Sooner())
    for n in range(MAX_DESTINATIONS):
        rig.poller.poll_at(f"http://h{n}.test:80", n - MAX_DESTINATIONS)
    await rig.poller._poll()
    assert len(rig.schedule) <= 2
