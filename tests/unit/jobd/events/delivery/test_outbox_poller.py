"""What the loader remembers of lanes that it has not loaded: bounded, the soonest kept."""

import asyncio
from datetime import timedelta
from typing import Any

from jobd.events.delivery.breaker import Breakers
from jobd.events.delivery.destination_queues import DestinationQueues
from jobd.events.delivery.observer import NullObserver
from jobd.events.delivery.outbox_poller import MAX_FRESH, MAX_LOOKS, OutboxPoller
from jobd.events.delivery.settings import DispatcherSettings
from tests.support.fakes.clock import FakeClock
from tests.unit.jobd.events.delivery.test_destination_queues import due


async def test_of_more_lanes_than_are_remembered_the_soonest_are() -> None:
    clock = FakeClock()
    outbox: Any = None  # nothing is read from it here
    breakers = Breakers(1, 30, lambda destination, state: None)
    poller = OutboxPoller(
        outbox,
        DestinationQueues(1, 10),
        breakers,
        DispatcherSettings(),
        clock,
        NullObserver(),
        asyncio.Event().set,
    )
    for n in range(MAX_LOOKS + 50):
        poller.look_at(f"http://h{n}.test:80", clock.now() + timedelta(seconds=n))
    for n in range(50):
        poller.look_at(f"http://soon{n}.test:80", clock.now())
    poller.look_at("http://soon0.test:80", clock.now() + timedelta(seconds=9))
    assert len(poller._looks) == MAX_LOOKS
    assert poller._looks["http://soon0.test:80"] == clock.now()
    assert max(poller._looks.values()) == clock.now() + timedelta(seconds=MAX_LOOKS - 51)


async def test_words_for_jobs_that_were_let_go_of_are_forgotten() -> None:
    clock, destinations = FakeClock(), DestinationQueues(1, 10)
    outbox: Any = None
    breakers = Breakers(1, 30, lambda destination, state: None)
    poller = OutboxPoller(
        outbox, destinations, breakers, DispatcherSettings(), clock, NullObserver(), asyncio.Event().set
    )
    for n in range(500):
        assert destinations.hold(due(f"j{n}", "http://a.test:80", n))
        poller.notify(f"j{n}")
        destinations.forget("http://a.test:80")
        poller.forgotten("http://a.test:80")
    assert poller._again == set()
    assert set(poller._looks) == {"http://a.test:80"}


async def test_words_are_remembered_for_few_jobs() -> None:
    clock, destinations = FakeClock(), DestinationQueues(1, 10)
    outbox: Any = None
    breakers = Breakers(1, 30, lambda destination, state: None)
    poller = OutboxPoller(
        outbox, destinations, breakers, DispatcherSettings(), clock, NullObserver(), asyncio.Event().set
    )
    destinations.hold(due("held", "http://a.test:80"))
    for n in range(MAX_FRESH + 100):
        poller.notify(f"j{n}")
        poller.notify("held")
    assert (len(poller._fresh), poller._again) == (MAX_FRESH, {"held"})
