"""What the loader remembers of lanes that it has not loaded: bounded, the soonest kept."""

import asyncio
from datetime import timedelta
from typing import Any

from jobd.events.breaker import Breakers
from jobd.events.lanes import Lanes
from jobd.events.loader import MAX_FRESH, MAX_LOOKS, Loader
from jobd.events.observer import NullObserver
from jobd.events.settings import DispatcherSettings
from jobd.testing.clock import FakeClock
from tests.unit.jobd.events.test_lanes import due


async def test_of_more_lanes_than_are_remembered_the_soonest_are() -> None:
    clock = FakeClock()
    outbox: Any = None  # nothing is read from it here
    breakers = Breakers(1, 30, lambda lane, state: None)
    loader = Loader(
        outbox, Lanes(1, 10), breakers, DispatcherSettings(), clock, NullObserver(), asyncio.Event().set
    )
    for n in range(MAX_LOOKS + 50):
        loader.look_at(f"http://h{n}.test:80", clock.now() + timedelta(seconds=n))
    for n in range(50):
        loader.look_at(f"http://soon{n}.test:80", clock.now())
    loader.look_at("http://soon0.test:80", clock.now() + timedelta(seconds=9))
    assert len(loader._looks) == MAX_LOOKS
    assert loader._looks["http://soon0.test:80"] == clock.now()
    assert max(loader._looks.values()) == clock.now() + timedelta(seconds=MAX_LOOKS - 51)


async def test_words_for_jobs_that_were_let_go_of_are_forgotten() -> None:
    clock, lanes = FakeClock(), Lanes(1, 10)
    outbox: Any = None
    breakers = Breakers(1, 30, lambda lane, state: None)
    loader = Loader(outbox, lanes, breakers, DispatcherSettings(), clock, NullObserver(), asyncio.Event().set)
    for n in range(500):
        assert lanes.hold(due(f"j{n}", "http://a.test:80", n))
        loader.notify(f"j{n}")
        lanes.forget("http://a.test:80")
        loader.forgotten("http://a.test:80")
    assert loader._again == set()
    assert set(loader._looks) == {"http://a.test:80"}


async def test_words_are_remembered_for_few_jobs() -> None:
    clock, lanes = FakeClock(), Lanes(1, 10)
    outbox: Any = None
    breakers = Breakers(1, 30, lambda lane, state: None)
    loader = Loader(outbox, lanes, breakers, DispatcherSettings(), clock, NullObserver(), asyncio.Event().set)
    lanes.hold(due("held", "http://a.test:80"))
    for n in range(MAX_FRESH + 100):
        loader.notify(f"j{n}")
        loader.notify("held")
    assert (len(loader._fresh), loader._again) == (MAX_FRESH, {"held"})
