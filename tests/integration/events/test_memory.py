"""The memory of deliveries: the queues count bodies, or the bodies belong to a request under way."""

import asyncio
import gc
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any

import pytest

from jobd.events.delivery import batching
from jobd.events.delivery.dispatcher import Dispatcher
from jobd.events.delivery.policies.response_policy import Answer
from jobd.events.delivery.queues import destination_queues
from jobd.events.delivery.queues.outbox_poller import NOTIFIED_PAGE
from jobd.events.delivery.queues.work_queue import UNSETTLED_PER_WORKER
from jobd.events.delivery.settings import DispatcherSettings
from jobd.store.errors import StoreFull
from jobd.store.store import Store
from jobd.store.tables.delivery_rows import Due
from tests.support.fakes.clock import FakeClock
from tests.support.fakes.sender import ConnectedSender

WORKERS = 2
SETTINGS = DispatcherSettings(workers=WORKERS, record_after_s=0)


class Refuses:
    """A store that can be read but refuses settlements while `full`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._clock = store._clock
        self.full = True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def settle(self, settlements: Any) -> Any:
        if self.full:
            raise StoreFull("full")
        return await self._store.settle(settlements)


class Takes(ConnectedSender):
    """A receiver that answers once its gate is open."""

    def __init__(self, status: int, gate: asyncio.Event | None = None) -> None:
        super().__init__()
        self.status = status
        self.gate = gate

    async def send(self, *_: Any, **__: Any) -> Answer:
        if self.gate is not None:
            await self.gate.wait()
        return Answer("answer", self.status)


def body_bytes() -> int:
    """The bytes of all bodies that any delivery in this process holds."""
    gc.collect()
    bodies: dict[int, int] = {}
    # The garbage collector knows no tuple and no struct of plain values: only the objects that refer to them.
    todo, seen = gc.get_objects(), set[int]()
    while todo:
        one = todo.pop()
        if id(one) in seen or type(one) in (str, bytes, int, float):
            continue
        seen.add(id(one))
        if type(one) is Due and one.body:
            bodies[id(one.body)] = len(one.body)
        todo.extend(value for value in gc.get_referents(one) if type(value) in (Due, tuple))
    return sum(bodies.values())


@asynccontextmanager
async def dispatching(
    outbox: Any,
    status: int = 204,
    gate: asyncio.Event | None = None,
    sender: Takes | None = None,
    **changes: Any,
) -> AsyncIterator[tuple[Dispatcher, FakeClock]]:
    clock, sender = outbox._clock, sender or Takes(status, gate)
    dispatcher = Dispatcher(outbox, sender, replace(SETTINGS, **changes), clock, spread=lambda: 0.5)
    task = asyncio.ensure_future(dispatcher.run())
    try:
        yield dispatcher, clock
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await sender.hang_up()


@pytest.mark.parametrize("status", [204, 500])
@pytest.mark.parametrize(("batch", "length"), [(True, 20_000), (False, 20_000), (False, 10_000)])
async def test_answers_that_wait_for_their_commit_keep_no_bodies(
    store: Store, jobs: Any, until: Any, batch: bool, length: int, status: int
) -> None:
    for n in range(UNSETTLED_PER_WORKER * WORKERS + 4):
        await jobs.emit(f"j{n}", f"http://host{n}.test/", 4, text="x" * length, batch=batch)
    async with dispatching(Refuses(store), status) as (dispatcher, clock):

        def all_asleep() -> bool:
            asleep = sum(not future.done() for _, _, future in clock._sleepers)
            return asleep == 2  # the poller and the settler

        await until(lambda: dispatcher._queue._unsettled == UNSETTLED_PER_WORKER * WORKERS)
        await until(lambda: not dispatcher._queue.in_flight)
        assert len(dispatcher._settler._waiting) <= UNSETTLED_PER_WORKER * WORKERS
        # A page is in memory only while it is read; bodies of waiting answers would stay, since the store refuses.
        await until(all_asleep)
        await until(lambda: body_bytes() <= dispatcher._queue._queues._inline_bytes)


async def test_stored_answers_keep_no_bodies(store: Store, jobs: Any, until: Any) -> None:
    outbox = Refuses(store)
    async with dispatching(outbox) as (dispatcher, clock):
        await jobs.emit("x", "http://a.test/", 4, text="x" * 10_000, batch=True)
        await jobs.emit("y", "http://b.test/", 4, text="x" * 10_000)
        for uid in ("x", "y"):
            dispatcher.notify(uid)
        await until(lambda: dispatcher._queue._unsettled == 5)
        outbox.full = False

        def recorded() -> bool:
            clock.advance(1)
            return dispatcher._queue._all_settled.is_set()

        await until(recorded)
        await until(lambda: body_bytes() == 0)


async def test_deliveries_whose_texts_exceed_the_budget_are_all_sent(
    store: Store, jobs: Any, until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(destination_queues, "TEXT_BUDGET_BYTES", 300_000)
    for n in range(60):
        await jobs.emit(f"j{n}", f"http://host{n}.test/{'x' * 8000}", 4)
    gate, most = asyncio.Event(), 0
    async with dispatching(store, gate=gate) as (dispatcher, clock):

        def full_and_asleep() -> bool:
            asleep = any(not future.done() for _, _, future in clock._sleepers)
            return asleep and not dispatcher._queue.may_load("another")

        await until(full_and_asleep)
        gate.set()

        async def delivered() -> bool:
            nonlocal most
            most = max(most, dispatcher._queue._queues._text_bytes)
            return (await store.counts()).pending == 0

        await until(delivered)
    assert most < 400_000


async def test_state_of_jobs_is_bounded_by_the_jobs_in_memory(store: Store, jobs: Any, until: Any) -> None:
    buffer = 20
    for n in range(300):
        await jobs.emit(f"j{n}", f"http://host{n % 10}.test/", 3)
    most: Counter[str] = Counter()
    async with dispatching(store, buffer_size=buffer) as (dispatcher, _):
        poller, queue, held = dispatcher._poller, dispatcher._queue, dispatcher._queue._queues

        async def delivered() -> bool:
            for name, size in (
                ("jobs", len(held._jobs)),
                ("destinations", len(held._queues)),
                ("turns", len(held._turns)),
                ("released", len(queue._released)),
                ("notified", len(poller._notified_in_memory)),
            ):
                most[name] = max(most[name], size)
            for n in range(0, 300, 7):
                dispatcher.notify(f"j{n}")
            return (await store.counts()).pending == 0

        await until(delivered)
    assert 0 < most["jobs"] <= buffer
    assert most["destinations"] <= buffer
    assert most["turns"] <= buffer
    assert most["notified"] <= buffer
    assert most["released"] <= buffer + NOTIFIED_PAGE


@pytest.mark.parametrize("batch", [False, True])
async def test_long_bodies_of_requests_under_way_are_bounded_in_bytes(
    store: Store, jobs: Any, until: Any, monkeypatch: pytest.MonkeyPatch, batch: bool
) -> None:
    length, together = 500_000, 3
    monkeypatch.setattr(batching, "REQUEST_BUDGET_BYTES", together * batching.COPIES * 600_000)
    monkeypatch.setattr(batching, "BATCH_BYTES", 600_000)
    for n in range(10):
        await jobs.emit(f"j{n}", f"http://host{n}.test/", 2, text="x" * length, batch=batch)
    gate = asyncio.Event()
    async with dispatching(store, gate=gate, workers=10) as (dispatcher, _):
        await until(lambda: dispatcher._queue.in_flight == 10)
        await until(lambda: body_bytes() > (together - 1) * length)
        for _ in range(5):
            await asyncio.sleep(0.002)
            assert body_bytes() <= together * 600_000
        gate.set()

        async def delivered() -> bool:
            return (await store.counts()).pending == 0

        await until(delivered)
        assert dispatcher._batching.held_bytes == 0


async def test_short_bodies_do_not_wait_for_long_ones(store: Store, jobs: Any, until: Any) -> None:
    class Stuck(Takes):
        """A receiver that never answers a long body."""

        short = 0

        async def send(self, *arguments: Any, **__: Any) -> Answer:
            if len(arguments[3]) > 100_000:
                await asyncio.Event().wait()
            self.short += 1
            return Answer("answer", 204)

    sender = Stuck(204)
    for n in range(3):
        await jobs.emit(f"long{n}", f"http://long{n}.test/", 1, text="x" * (10 << 20))
    for n in range(20):
        await jobs.emit(f"short{n}", f"http://short{n}.test/", 5)
    async with dispatching(store, sender=sender, workers=10) as (dispatcher, _):
        await until(lambda: sender.short == 100)
        assert dispatcher._batching.held_bytes <= batching.REQUEST_BUDGET_BYTES
