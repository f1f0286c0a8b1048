"""The feed: from any number on, without a gap or a repeat, during writes."""

import asyncio
import gc
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from jobd.api.endpoints.streams import _event_frames
from jobd.budget import ByteBudget
from jobd.events import feed as feeds
from jobd.events.feed import Feed
from jobd.store.store import Store
from jobd.store.tables.delivery_rows import Settlement
from jobd.store.tables.rows import StoredEvent

URL = "http://a.test/"
BUDGET = 1 << 20
DEADLINE_S = 60.0


@pytest.fixture
def budget() -> ByteBudget:
    return ByteBudget(BUDGET)


@pytest.fixture
def feed(store: Store, budget: ByteBudget) -> Feed:
    return Feed(store, budget)


async def take(events: AsyncIterator[StoredEvent | None], count: int) -> list[StoredEvent]:
    """Returns the first events, without keep-alives."""
    got: list[StoredEvent] = []
    async with asyncio.timeout(DEADLINE_S):
        async for event in events:
            if event is not None:
                got.append(event)
            if len(got) == count:
                break
    return got


async def test_a_follower_gets_stored_and_new_events_once_each(feed: Feed, jobs: Any) -> None:
    await jobs.emit("x", URL, 250)
    following = asyncio.ensure_future(take(feed.read(100, follow=True), 300))
    for _ in range(150):
        feed.publish(await jobs.emit("y", URL))
    assert [event.seq for event in await following] == list(range(101, 401))


async def test_followers_of_a_job_get_only_its_events(feed: Feed, jobs: Any) -> None:
    followers = [asyncio.ensure_future(take(feed.read(0, f"j{n}", follow=True), 30)) for n in range(10)]
    for _ in range(30):
        stored = await asyncio.gather(*(jobs.emit(f"j{n}", URL) for n in range(10)))
        for events in stored:
            feed.publish(events)
    outcomes = await asyncio.gather(*followers)
    assert [[event.event_id for event in got] for got in outcomes] == [
        [f"j{n}-{k}" for k in range(1, 31)] for n in range(10)
    ]


async def test_stored_events_are_read_to_their_end(feed: Feed, jobs: Any) -> None:
    await jobs.emit("x", URL, 450)
    assert [event.seq for event in await take(feed.read(1, follow=False), 1000)] == list(range(2, 451))


async def test_a_reader_without_new_events_gets_keep_alives(feed: Feed, jobs: Any) -> None:
    await jobs.emit("x", URL, 3)
    reading = feed.read(2, follow=True, quiet_s=0.01)
    first = await anext(reading)
    assert first is not None
    assert first.seq == 3
    assert await anext(reading) is None
    assert await anext(reading) is None
    await reading.aclose()  # type: ignore[attr-defined]


async def test_following_a_job_ends_with_its_purge(feed: Feed, store: Store, jobs: Any) -> None:
    await jobs.emit("x", "http://a.test/", 2)
    reading = feed.read(0, "x", follow=True, quiet_s=0.01)
    got = await take(reading, 2)
    assert [event.seq for event in got] == [1, 2]
    await store.settle([Settlement(event.seq, "delivered", event.created_at) for event in got])
    assert await store.purge("x")
    assert await take(feed.read(2, "x", follow=True, quiet_s=0.01), 1) == []


async def test_no_state_is_kept_of_disconnected_readers(feed: Feed, budget: ByteBudget, jobs: Any) -> None:
    reading = [asyncio.ensure_future(take(feed.read(0, follow=True), 1)) for _ in range(20)]
    await asyncio.sleep(0)
    assert len(feed._waiting) == 20
    for one in reading:
        one.cancel()
    await asyncio.gather(*reading, return_exceptions=True)
    assert not feed._waiting
    assert budget.reserved_bytes == 0
    feed.publish(await jobs.emit("x", URL))


async def test_readers_that_do_not_read_hold_no_more_than_the_budget(
    feed: Feed, budget: ByteBudget, jobs: Any
) -> None:
    for n in range(40):
        await jobs.emit(f"j{n}", URL, 1, text="x" * 50_000)
    readers = [feed.read(0, follow=True) for _ in range(100)]
    waiting = [asyncio.ensure_future(anext(reader)) for reader in readers]
    async with asyncio.timeout(DEADLINE_S):
        while sum(one.done() for one in waiting) < BUDGET // (2 * feeds.PAGE_BYTES):
            await asyncio.sleep(0)
    assert budget.reserved_bytes <= BUDGET + 2 * feeds.PAGE_BYTES
    for one in waiting:
        one.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    for reader in readers:
        await reader.aclose()  # type: ignore[attr-defined]
    assert budget.reserved_bytes == 0


async def test_events_of_other_jobs_wake_no_reader(
    store: Store, budget: ByteBudget, jobs: Any, until: Any
) -> None:
    reads = 0

    class Counting:
        async def list_events(self, *arguments: Any) -> Any:
            nonlocal reads
            reads += 1
            return await store.list_events(*arguments)

        async def has_job(self, uid: str) -> bool:
            return await store.has_job(uid)

    feed = Feed(Counting(), budget)
    reading = asyncio.ensure_future(take(feed.read(0, "mine", follow=True), 1))
    await until(lambda: reads == 1)
    for _ in range(10):
        feed.publish(await jobs.emit("other", URL))
    feed.publish([])
    assert reads == 1
    feed.publish(await jobs.emit("mine", URL))
    assert len(await reading) == 1
    assert reads == 2


@pytest.fixture
def traced() -> Iterator[None]:
    tracemalloc.start()
    yield
    tracemalloc.stop()


async def next_of(events: AsyncIterator[Any]) -> Any:
    return await anext(events)


@pytest.mark.parametrize("as_sse", [True, False], ids=["sse", "ndjson"])
async def test_a_follower_keeps_no_event_while_it_waits(
    feed: Feed, budget: ByteBudget, jobs: Any, traced: None, as_sse: bool
) -> None:
    await jobs.emit("x", URL, 1, text="x" * 300_000)
    gc.collect()
    before = tracemalloc.get_traced_memory()[0]
    waiting = []
    for _ in range(20):
        frames = _event_frames(feed.read(0, follow=True), as_sse)
        assert len(await anext(frames)) > 300_000
        waiting.append(asyncio.create_task(next_of(frames)))
    async with asyncio.timeout(DEADLINE_S):
        while budget.reserved_bytes:
            await asyncio.sleep(0)
    gc.collect()
    assert tracemalloc.get_traced_memory()[0] - before < 20 * 30_000, "an event is 300 kB"
    for one in waiting:
        one.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert budget.reserved_bytes == 0


async def test_a_reader_keeps_no_page_while_it_waits_for_room(store: Store, jobs: Any, traced: None) -> None:
    await jobs.emit("x", URL, 2, text="x" * 300_000)
    budget = ByteBudget(64 << 20)
    feed = Feed(store, budget)
    gc.collect()
    before = tracemalloc.get_traced_memory()[0]
    readers = [feed.read(0, follow=False) for _ in range(20)]
    for reader in readers:
        assert await anext(reader) is not None
    async with budget.reserve(1, estimated=True):  # no other reservation fits
        waiting = [asyncio.create_task(next_of(reader)) for reader in readers]
        await asyncio.sleep(0)
        assert budget.reserved_bytes == 1
        async with asyncio.timeout(10):  # a reader thread that has just answered still holds its page
            while True:
                gc.collect()
                kept = tracemalloc.get_traced_memory()[0] - before
                if kept < 20 * 30_000:  # a page is 300 kB
                    break
                await asyncio.sleep(0.01)
    second = await asyncio.gather(*waiting)
    assert {event.seq for event in second} == {2}
    for reader in readers:
        await reader.aclose()  # type: ignore[attr-defined]


async def test_an_event_is_counted_with_the_frame_that_it_is_sent_in(
    feed: Feed, budget: ByteBudget, jobs: Any
) -> None:
    await jobs.emit("x", URL, 1, text="x" * 300_000)
    reading = feed.read(0, follow=True)
    await anext(reading)
    assert budget.reserved_bytes >= 2 * 300_000
    await reading.aclose()  # type: ignore[attr-defined]
