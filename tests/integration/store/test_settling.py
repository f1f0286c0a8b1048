"""What became of deliveries: settled once, retried, parked, abandoned and replayed; what follows them is due next."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

from jobd.store.store import Store
from jobd.store.tables.delivery_rows import Settlement
from jobd.store.tables.rows import Transition
from tests.integration.store.test_outbox import LANE, due_ids
from tests.support.fakes.clock import FakeClock

Later = Callable[[float], datetime]


async def states(store: Store, uid: str = "u1") -> str:
    return " ".join(delivery.state for delivery in await store.deliveries(uid, 0, 100))


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
