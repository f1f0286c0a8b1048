"""The feed: from any number on, without a gap or a repeat, while others write."""

import asyncio
from typing import Any

from jobd.events.feed import Feed
from jobd.store.store import Store

URL = "http://a.test/"


async def test_a_follower_sees_what_was_and_what_comes_each_once(store: Store, jobs: Any) -> None:
    feed = Feed(store)
    await jobs.emit("x", URL, 250)
    got: list[int] = []

    async def follow() -> None:
        async for event in feed.follow(100):
            got.append(event.seq)
            if event.seq == 400:
                return

    following = asyncio.ensure_future(follow())
    for _ in range(150):
        feed.publish(await jobs.emit("y", URL))
    async with asyncio.timeout(10):
        await following
    assert got == list(range(101, 401))


async def test_many_followers_of_their_own_jobs_see_only_those(store: Store, jobs: Any) -> None:
    feed = Feed(store)

    async def follow(uid: str) -> list[str]:
        got = []
        async for event in feed.follow(0, uid):
            got.append(event.event_id)
            if len(got) == 30:
                break
        return got

    followers = [asyncio.ensure_future(follow(f"j{n}")) for n in range(10)]
    for _ in range(30):
        stored = await asyncio.gather(*(jobs.emit(f"j{n}", URL) for n in range(10)))
        for events in stored:
            feed.publish(events)
    async with asyncio.timeout(10):
        outcomes = await asyncio.gather(*followers)
    assert outcomes == [[f"j{n}-{k}" for k in range(1, 31)] for n in range(10)]


async def test_a_reader_that_waited_in_vain_gets_an_empty_page(store: Store, jobs: Any) -> None:
    feed = Feed(store)
    await jobs.emit("x", URL, 3)
    assert await feed.after(3, wait_s=0.01) == []
    assert [event.seq for event in await feed.after(1, wait_s=0.01)] == [2, 3]
    assert [event.seq for event in await feed.after(0, limit=2)] == [1, 2]


async def test_nothing_is_kept_of_readers_that_have_left(store: Store, jobs: Any) -> None:
    feed = Feed(store)
    reading = [asyncio.ensure_future(feed.after(0)) for _ in range(20)]
    await asyncio.sleep(0)
    assert len(feed._waiting) == 20
    for one in reading:
        one.cancel()
    await asyncio.gather(*reading, return_exceptions=True)
    assert not feed._waiting
    feed.publish(await jobs.emit("x", URL))


async def test_events_of_other_jobs_wake_nobody(store: Store, jobs: Any, until: Any) -> None:
    feed = Feed(store)
    reads = 0
    inner = store.list_events

    class Counting:
        async def list_events(self, after_seq: int, job_uid: str | None, limit: int) -> Any:
            nonlocal reads
            reads += 1
            return await inner(after_seq, job_uid, limit)

    feed = Feed(Counting())
    reading = asyncio.ensure_future(feed.after(0, "mine"))
    await until(lambda: reads == 1)
    for _ in range(10):
        feed.publish(await jobs.emit("other", URL))
    feed.publish([])
    assert reads == 1
    feed.publish(await jobs.emit("mine", URL))
    assert len(await reading) == 1
    assert reads == 2
