"""The outbox: the order per job, due deliveries, destinations, purge and counts."""

import asyncio
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from jobd.store.errors import DeliveriesPending
from jobd.store.store import Store
from jobd.store.tables.delivery_rows import Settlement
from jobd.store.tables.rows import Transition
from tests.support.fakes.clock import FakeClock

LANE = "http://127.0.0.1:1"
Later = Callable[[float], datetime]


async def due_ids(store: Store) -> list[int]:
    return [entry.id for entry in await store.due(LANE, 100)]


async def test_only_the_first_pending_delivery_of_each_job_is_due(store: Store, make: Any) -> None:
    await store.commit(make.claim("u1", events=3, port=1))
    await store.commit(make.claim("u2", events=2, port=1))
    await store.commit(Transition(make.next("u1"), (make.event(),)))
    assert await due_ids(store) == [1, 4]
    assert [entry.id for entry in await store.due_of(["u2", "u1", "none"])] == [4, 1]


async def test_a_due_delivery_has_everything_that_its_request_needs(store: Store, make: Any) -> None:
    stored = (await store.commit(make.claim("u1", events=1, port=1)))[0]
    (entry,) = await store.due(LANE, 1)
    assert (entry.job_uid, entry.job_id, entry.event_id, entry.body) == (
        "u1",
        "job-1",
        stored.event_id,
        stored.body,
    )
    assert (entry.url, entry.key, entry.destination) == ("http://127.0.0.1:1/hook", "s3cret", LANE)
    assert "s3cret" not in repr(entry)
    assert entry.created_at == stored.created_at
    assert entry.due_ms == store.observed_ms()


async def test_a_long_body_is_read_separately(store: Store, make: Any) -> None:
    body = b"x" * 100_000
    await store.commit(replace(make.claim("u1", port=1), events=(make.event(body=body),)))
    (entry,) = await store.due(LANE, 1)
    assert entry.body is None
    assert await store.delivery_body(entry.id) == body
    assert await store.delivery_body(99) is None


async def test_the_following_deliveries_are_read_byte_for_byte_in_order(store: Store, make: Any) -> None:
    bodies = [
        b"1",
        b"",
        b"a\0b",
        b"\xff\xfe\x00",
        "\u00fc\U0001f600".encode(),
        b"'\\\"",
        bytes(range(256)) * 8,
    ]
    events = tuple(make.event(body=body) for body in bodies)
    await store.commit(replace(make.claim("u1", port=1), events=events))
    (first,) = await store.due(LANE, 1, ahead=100)
    assert [entry.body for entry in first.ahead] == bodies[1:]
    assert [entry.id for entry in (first, *first.ahead)] == [1, 2, 3, 4, 5, 6, 7]
    assert [entry.event_id for entry in first.ahead] == [event.event_id for event in events[1:]]
    assert [entry.created_at for entry in first.ahead] == [event.created_at for event in events[1:]]
    assert [entry.id for entry in (await store.due(LANE, 1, ahead=2))[0].ahead] == [2, 3]


async def test_no_delivery_behind_a_long_one_is_read(store: Store, make: Any) -> None:
    bodies = [b"1", b"2", b"x" * 20_000, b"4"]
    events = tuple(make.event(body=body) for body in bodies)
    await store.commit(replace(make.claim("u1", port=1), events=events))
    assert [entry.id for entry in (await store.due(LANE, 1, ahead=100))[0].ahead] == [2]
    assert [entry.id for entry in await store.delivery_run(1, 10, 20_002)] == [1, 2, 3]


async def test_events_without_callback_or_deliver_flag_are_not_delivered(store: Store, make: Any) -> None:
    await store.commit(make.claim("u1", events=2))
    await store.commit(replace(make.claim("u2", port=1), events=(make.event(deliver=False),)))
    assert await store.destinations("", 10) == []
    assert await store.deliveries("u1", 0, 10) == await store.deliveries("u2", 0, 10) == []


async def test_a_repeated_event_does_not_block_the_outbox(store: Store, make: Any, later: Later) -> None:
    await store.commit(make.claim("u1", port=1))
    old = make.event()
    await store.commit(Transition(make.next("u1"), (old,)))
    await store.settle([Settlement(1, "delivered", later(1))])
    await store.commit(Transition(make.next("u1"), (old, make.event())))
    assert [entry.event_id for entry in await store.due(LANE, 10)] == ["e2"]


async def test_destinations_are_listed_with_their_first_due_time(
    store: Store, clock: FakeClock, make: Any, later: Later
) -> None:
    for n in range(6):
        await store.commit(make.claim(f"u{n}", events=1, port=1 + n % 3))
        clock.advance(1)
    await store.settle([Settlement(1, "retry", later(5), later(99), next_ms=99_000)])
    destinations = await store.destinations("", 10)
    assert [destination.destination[-1] for destination in destinations] == ["1", "2", "3"]
    assert destinations[0].due_ms == 3_000
    assert [
        destination.destination[-1]
        for destination in await store.destinations(destinations[0].destination, 1)
    ] == ["2"]


async def test_a_purge_waits_for_pending_deliveries(store: Store, make: Any, later: Later) -> None:
    await store.commit(make.claim("u1", events=1, port=1, live=False))
    with pytest.raises(DeliveriesPending):
        await store.purge("u1")
    assert await store.expire(0, 10) == []
    await store.settle([Settlement(1, "park", later(1))])
    assert await store.purge("u1")
    assert not await store.purge("u1")
    assert await store.get_by_uid("u1") is None
    assert await store.list_events(0, None, 10) == []
    counts = await store.counts()
    assert (counts.jobs, counts.pending, counts.parked) == (0, 0, 0)


async def test_the_oldest_history_is_purged_first(
    store: Store, clock: FakeClock, make: Any, later: Later
) -> None:
    for n in range(6):
        await store.commit(make.claim(f"u{n}", live=n == 0, finished_at=later(n), labels={"a": "b"}))
        clock.advance(1)
    assert await store.expire(1.5, 2) == ["u1", "u2"]
    assert await store.expire(1.5, 9) == ["u3", "u4"]
    assert await store.remove_hidden() == 4
    assert await store.get_by_uid("u1") is None
    assert [job.uid for job in (await store.list_jobs(labels={"a": "b"})).jobs] == ["u5", "u0"]


async def test_counts_include_pending_and_parked_deliveries(
    store: Store, clock: FakeClock, make: Any
) -> None:
    assert (await store.counts()).oldest_pending_s == 0
    await asyncio.gather(*(store.commit(make.claim(f"u{n}", events=2, port=1, live=n < 2)) for n in range(5)))
    counts = await store.counts()
    assert (counts.jobs, counts.live_jobs, counts.pending, counts.parked) == (5, 2, 10, 0)
    clock.advance(61.5)
    clock.jump(3600)
    assert (await store.counts()).oldest_pending_s == 61.5
    assert counts.size_bytes > 0


async def test_after_a_power_failure_the_next_delivery_of_a_job_waits_at_most_a_second(
    store: Store, path: Path, clock: FakeClock, make: Any, later: Later
) -> None:
    await store.commit(make.claim("u1", events=3, port=1))
    for number in (1, 2):
        clock.advance(30)
        await store.settle([Settlement(number, "delivered", later(30 * number), status=204)])
    failed = path.with_name("failed.db")
    for suffix in ("", "-wal"):
        shutil.copy(str(path) + suffix, str(failed) + suffix)
    again = await Store.open(failed, clock=FakeClock(boot="another"))
    (entry,) = await again.due(LANE, 9)
    assert (entry.id, entry.due_ms) == (3, 60_000)
    assert again.observed_ms() + 1000 >= entry.due_ms
    await again.close()
