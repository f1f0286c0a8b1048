"""The outbox: the order per job, due deliveries, settlements, replay and purge."""

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
from jobd.store.tables.rows import Settlement, Transition
from tests.support.fakes.clock import FakeClock

LANE = "http://127.0.0.1:1"
Later = Callable[[float], datetime]


async def due_ids(store: Store) -> list[int]:
    return [entry.id for entry in await store.due(LANE, 100)]


async def states(store: Store, uid: str = "u1") -> str:
    return " ".join(delivery.state for delivery in await store.deliveries(uid, 0, 100))


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


async def test_after_a_delivery_the_next_one_is_due(
    store: Store, clock: FakeClock, make: Any, later: Later
) -> None:
    await store.commit(make.claim("u1", events=2, port=1))
    clock.advance(50)
    (settled,) = await store.settle([Settlement(1, "delivered", later(50), status=204)])
    assert settled.following is not None
    assert (settled.following.id, settled.following.due_ms) == (2, 50_000)
    assert await due_ids(store) == [2]
    first = await store.delivery(1)
    assert first is not None
    assert (first.state, first.attempts, first.delivered_at, first.last_status) == (
        "delivered",
        1,
        later(50),
        204,
    )
    assert (await store.settle([Settlement(2, "delivered", later(51))]))[0].following is None
    assert await store.destinations("", 10) == []


async def test_a_retry_blocks_the_following_deliveries(store: Store, make: Any, later: Later) -> None:
    await store.commit(make.claim("u1", events=2, port=1))
    await store.settle([Settlement(1, "retry", later(5), later(90), 503, "busy", next_ms=90_000)])
    (entry,) = await store.due(LANE, 10)
    assert (entry.id, entry.tries, entry.requeues, entry.due_ms) == (1, 1, 0, 90_000)
    await store.settle([Settlement(1, "requeue", later(90), later(120), error="x" * 9000, next_ms=120_000)])
    (entry,) = await store.due(LANE, 10)
    assert (entry.id, entry.tries, entry.requeues, entry.due_ms) == (1, 0, 1, 120_000)
    seen = await store.delivery(1)
    assert seen is not None
    assert (seen.attempts, seen.requeues, len(seen.last_error or "")) == (2, 1, 500)


async def test_after_a_parked_delivery_the_next_one_is_due_and_a_replay_is_possible(
    store: Store, make: Any, later: Later
) -> None:
    await store.commit(make.claim("u1", events=3, port=1))
    (settled,) = await store.settle([Settlement(1, "park", later(5), status=415, error="no")])
    assert settled.following is not None
    assert settled.following.id == 2
    assert (await store.counts()).parked == 1
    replayed = await store.replay(1, later(60))
    assert replayed is not None
    assert (replayed.state, replayed.next_attempt_at) == ("pending", later(60))
    assert await due_ids(store) == [1]  # one delivery of a job at a time, the earliest first
    (settled,) = await store.settle([Settlement(1, "delivered", later(61))])
    assert settled.following is not None
    assert settled.following.id == 2
    assert await store.replay(99, later(1)) is None


async def test_replay_all_replays_parked_and_abandoned_deliveries_only(
    store: Store, make: Any, later: Later
) -> None:
    await store.commit(make.claim("u1", events=5, port=1))
    await store.commit(make.claim("u2", events=1, port=1))
    await store.settle([Settlement(1, "delivered", later(1)), Settlement(2, "park", later(1))])
    await store.settle([Settlement(3, "park", later(2)), Settlement(6, "park", later(2))])
    assert await due_ids(store) == [4]
    assert await store.replay_all("u1", later(3)) == 2
    assert await states(store) == "delivered pending pending pending pending"
    assert await due_ids(store) == [2]
    assert await store.replay_all("u1", later(4)) == 0
    assert await store.replay_all("none", later(4)) == 0
    assert await states(store, "u2") == "parked"


async def test_many_of_many_jobs_are_settled_in_one_commit(store: Store, make: Any, later: Later) -> None:
    for n in range(150):
        await store.commit(make.claim(f"u{n}", events=3, port=1))
    firsts = [1 + 3 * n for n in range(150)]
    outcomes = ["delivered", "park", "retry", "requeue", "abandon"]
    settled = await store.settle(
        [
            Settlement(number, outcomes[n % 5], later(5), later(60), 200 + n, f"e{n}", ahead=2)  # type: ignore[arg-type]
            for n, number in enumerate(firsts)
        ]
    )
    for n, one in enumerate(settled):
        outcome = outcomes[n % 5]
        first, *behind = await store.deliveries(f"u{n}", 0, 10)
        assert first.attempts == 1
        assert first.last_status == 200 + n
        assert first.last_error == (None if outcome == "delivered" else f"e{n}")
        if outcome in ("delivered", "park"):
            assert one.following is not None
            assert (one.following.id, [due.id for due in one.following.ahead]) == (
                firsts[n] + 1,
                [firsts[n] + 2],
            )
            assert first.state == ("delivered" if outcome == "delivered" else "parked")
            assert behind[0].next_attempt_at == later(5)
        elif outcome == "abandon":
            assert (one.following, one.abandoned) == (None, 3)
            assert {d.state for d in (first, *behind)} == {"abandoned"}
        else:
            assert one.following is None
            assert (first.state, first.next_attempt_at) == ("pending", later(60))
            assert behind[0].next_attempt_at is None


async def test_a_run_is_bounded_and_holds_the_bodies(store: Store, make: Any, later: Later) -> None:
    bodies = [b"a" * 10, b"b" * 20_000, b"c" * 10, b"d" * 10]
    events = tuple(make.event(body=body) for body in bodies)
    await store.commit(replace(make.claim("u1", port=1), events=events))
    assert [one.body for one in await store.delivery_run(1, 10, 1 << 20)] == bodies
    assert [one.id for one in await store.delivery_run(1, 2, 1 << 20)] == [1, 2]
    assert [one.id for one in await store.delivery_run(1, 10, 15)] == [1]
    assert [one.id for one in await store.delivery_run(2, 10, 20_010)] == [2, 3]
    (due,) = await store.due(LANE, 10, 10)
    assert due.ahead == ()  # the next body is long: it is read separately
    await store.settle([Settlement(1, "delivered", later(1)), Settlement(2, "delivered", later(1))])
    assert await store.delivery_run(1, 10, 1 << 20) == []
    (due,) = await store.due_of(["u1"], 10)
    assert (due.id, [one.id for one in due.ahead]) == (3, [4])


async def test_a_delivery_in_flight_during_a_replay_is_settled(store: Store, make: Any, later: Later) -> None:
    await store.commit(make.claim("u1", events=3, port=1))
    await store.settle([Settlement(1, "park", later(5))])
    await store.replay(1, later(6))
    (settled,) = await store.settle([Settlement(2, "delivered", later(7))])
    assert settled.following is not None
    assert settled.following.id == 1
    await store.settle([Settlement(3, "retry", later(8), later(9))])
    assert await due_ids(store) == [1]


async def test_a_410_stops_only_the_callback_of_its_job(store: Store, make: Any, later: Later) -> None:
    await store.commit(make.claim("u1", events=3, port=1))
    await store.commit(make.claim("u2", events=1, port=1))
    await store.settle([Settlement(1, "delivered", later(1))])
    (settled,) = await store.settle([Settlement(2, "abandon", later(2), status=410, error="gone")])
    assert (settled.abandoned, settled.following) == (2, None)
    await store.commit(Transition(make.next("u1"), (make.event(),)))
    assert await states(store) == "delivered abandoned abandoned abandoned"
    assert await states(store, "u2") == "pending"
    await store.replay(2, later(3))
    await store.commit(Transition(make.next("u1"), (make.event(),)))
    assert await states(store) == "delivered pending abandoned abandoned pending"


async def test_a_repeated_settlement_changes_nothing(store: Store, make: Any, later: Later) -> None:
    await store.commit(make.claim("u1", events=2, port=1))
    await store.settle([Settlement(1, "delivered", later(1))])
    assert (await store.settle([Settlement(1, "park", later(2))]))[0].following is None
    assert (await store.settle([Settlement(77, "park", later(2))]))[0].following is None
    assert await states(store) == "delivered pending"


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


async def test_an_expired_delivery_that_its_receiver_accepts_is_delivered(
    store: Store, clock: FakeClock, make: Any, later: Later
) -> None:
    await store.commit(make.claim("u1", events=2, port=1))
    clock.advance(60)
    assert await store.expire_deliveries(["u1"], 59, 59, later(61), "expired", 1) == 1
    settled = await store.settle([Settlement(1, "delivered", later(62), status=204)])
    assert settled[0].following is None, "the next one is due already"
    first, second = await store.deliveries("u1", 0, 10)
    assert (first.state, first.last_status, first.last_error) == ("delivered", 204, None)
    assert (second.state, [due.id for due in await store.due(LANE, 10)]) == ("pending", [2])
    await store.settle([Settlement(2, "park", later(63), error="refused")])
    await store.settle([Settlement(1, "retry", later(64), next_attempt_at=later(65))])
    assert [one.state for one in await store.deliveries("u1", 0, 10)] == ["delivered", "parked"]


async def test_an_abandoned_delivery_that_its_receiver_accepts_is_delivered(
    store: Store, make: Any, later: Later
) -> None:
    await store.commit(make.claim("u1", events=2, port=1))
    await store.settle([Settlement(1, "abandon", later(1), status=410, error="gone")])
    await store.settle([Settlement(1, "delivered", later(2), status=204)])
    assert await states(store) == "delivered abandoned"


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
