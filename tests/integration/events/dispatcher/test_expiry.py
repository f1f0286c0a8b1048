"""Too old deliveries of a host that stays down are parked together, in order, by observed time.

Also the breakers of hosts without pending deliveries. Only tests move the clock.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from jobd.events.delivery.policies.response_policy import Answer
from jobd.events.delivery.queues import expiry, outbox_poller
from jobd.store.store import Store
from tests.integration.events.conftest import START, Jobs
from tests.support.delivery.expiry_rig import (
    DAY_S,
    DESTINATION,
    SETTINGS,
    A,
    Rig,
    Running,
    dispatching,
    opened,
    passed,
)
from tests.support.fakes.clock import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(START)


@pytest.fixture
async def store(tmp_path: Path, clock: FakeClock) -> AsyncIterator[Store]:
    """A store on the clock that tests move."""
    opened = await Store.open(tmp_path / "jobd.db", clock=clock)
    yield opened
    await opened.close()


@pytest.fixture
def running(store: Store, clock: FakeClock) -> Running:
    return partial(dispatching, store, clock)


@pytest.fixture
def scans(monkeypatch: pytest.MonkeyPatch, until: Any) -> Callable[..., Awaitable[None]]:
    """Lets the poller scan the outbox a number of times, and moves the clock by the time between two scans."""
    done = 0
    scan = outbox_poller.OutboxPoller._scan

    async def counted(self: outbox_poller.OutboxPoller) -> None:
        nonlocal done
        await scan(self)
        done += 1

    monkeypatch.setattr(outbox_poller.OutboxPoller, "_scan", counted)

    async def move(rig: Rig, times: int) -> None:
        for _ in range(times):
            before = done
            # The poller sleeps now: moving the clock earlier would make the poller sleep for its whole delay afterwards.
            await passed(rig, until, outbox_poller.SCAN_S)
            await until(lambda before=before: done > before)

    return move


async def test_all_expired_deliveries_are_parked_within_a_few_scans(
    running: Running, jobs: Jobs, scans: Any, until: Any
) -> None:
    await jobs.emit("x", A, 3_000)
    await jobs.emit("y", A, 10)
    async with running() as rig:
        await opened(rig, until)
        await scans(rig, 2)
        assert "parked" not in await jobs.states("x")
        await passed(rig, until, 3 * DAY_S)
        await scans(rig, 3)
        assert await jobs.states("x") == " ".join(["parked"] * 3_000)
        assert await jobs.states("y") == " ".join(["parked"] * 10)


async def test_parked_deliveries_are_listed_with_the_reason_and_replayed_in_order(
    running: Running, jobs: Jobs, scans: Any, until: Any, store: Store
) -> None:
    await jobs.emit("x", A, 50)
    async with running() as rig:
        await opened(rig, until)
        await passed(rig, until, 3 * DAY_S)
        await scans(rig, 3)
        listed = await store.deliveries("x", 0, 100)
        assert {(one.state, one.last_error) for one in listed} == {("parked", expiry.REASON)}
        rig.answers[A] = Answer("answer", 204)
        rig.sent.clear()
        assert await rig.dispatcher.replay_all("x") == 50
        await scans(rig, 25)
        await until(lambda: len(rig.sent) == 50)
        assert rig.sent == [f"x-{n}" for n in range(1, 51)]


async def test_a_replayed_delivery_does_not_expire_at_once(
    running: Running, jobs: Jobs, scans: Any, until: Any
) -> None:
    await jobs.emit("x", A, 5)
    async with running(breaker_cooldown_s=30 * DAY_S) as rig:
        await opened(rig, until)
        await passed(rig, until, 3.1 * DAY_S)
        await scans(rig, 3)
        await opened(rig, until)
        assert await jobs.states("x") == " ".join(["parked"] * 5)
        await rig.dispatcher.replay_all("x")
        await scans(rig, 10)
        assert await jobs.states("x") == " ".join(["pending"] * 5)
        await passed(rig, until, expiry.UNTRIED_S)
        await scans(rig, 3)
        assert await jobs.states("x") == " ".join(["parked"] * 5)


async def test_a_step_of_the_wall_clock_parks_no_delivery(
    running: Running, jobs: Jobs, scans: Any, until: Any
) -> None:
    await jobs.emit("x", A, 20)
    async with running() as rig:
        await opened(rig, until)
        await scans(rig, 1)
        rig.clock.jump(8 * DAY_S)
        await scans(rig, 4)
        rig.clock.jump(-8 * DAY_S)
        await scans(rig, 4)
        assert await jobs.states("x") == " ".join(["pending"] * 20)
        await passed(rig, until, 3 * DAY_S)
        await scans(rig, 3)
        assert await jobs.states("x") == " ".join(["parked"] * 20)


@pytest.mark.parametrize("boot", ["fake", "another"])
async def test_a_restart_while_the_clock_is_ahead_parks_no_delivery(
    tmp_path: Path, scans: Any, until: Any, boot: str
) -> None:
    path, clock = tmp_path / "restarted.db", FakeClock(START)
    store = await Store.open(path, clock=clock)
    jobs = Jobs(store)
    async with dispatching(store, clock) as rig:
        await jobs.emit("x", A, 20)
        rig.dispatcher.notify("x")
        await opened(rig, until)
        await passed(rig, until, 600)
        await scans(rig, 1)
    await store.close()
    if boot == clock.boot:
        clock.jump(8 * DAY_S)
    else:
        clock = FakeClock(clock.now() + timedelta(days=8), boot)
    store = await Store.open(path, clock=clock)
    jobs = Jobs(store)
    async with dispatching(store, clock) as rig:
        await opened(rig, until)
        await passed(rig, until, 2 * DAY_S)
        await scans(rig, 4)
        assert await jobs.states("x") == " ".join(["pending"] * 20)
        await passed(rig, until, DAY_S)
        await scans(rig, 4)
        assert await jobs.states("x") == " ".join(["parked"] * 20)
    await store.close()


async def test_a_replayed_delivery_does_not_expire_after_a_restart_with_the_clock_ahead(
    tmp_path: Path, scans: Any, until: Any
) -> None:
    path, clock = tmp_path / "restarted.db", FakeClock(START)
    store = await Store.open(path, clock=clock)
    jobs = Jobs(store)
    async with dispatching(store, clock, breaker_cooldown_s=30 * DAY_S) as rig:
        await jobs.emit("x", A, 5)
        rig.dispatcher.notify("x")
        await opened(rig, until)
        await passed(rig, until, 3.1 * DAY_S)
        await scans(rig, 3)
        assert await jobs.states("x") == " ".join(["parked"] * 5)
    assert await store.replay_all("x", clock.now()) == 5
    await store.close()
    clock.jump(8 * DAY_S)
    store = await Store.open(path, clock=clock)
    jobs = Jobs(store)
    async with dispatching(store, clock, breaker_cooldown_s=30 * DAY_S, max_retries=0) as rig:
        rig.dispatcher._breakers.record(
            DESTINATION,
            rig.dispatcher._breakers.take(DESTINATION, clock.monotonic()),
            "down",
            clock.monotonic(),
        )
        await scans(rig, 4)
        assert await jobs.states("x") == " ".join(["pending"] * 5)
        await passed(rig, until, expiry.UNTRIED_S)
        await scans(rig, 3)
        assert await jobs.states("x") == " ".join(["parked"] * 5)
    await store.close()


async def test_the_batches_are_bounded_and_keep_the_order_of_each_job(
    store: Store, jobs: Jobs, clock: FakeClock
) -> None:
    await jobs.emit("x", A, 25)
    await jobs.emit("y", A, 25)
    clock.advance(5 * DAY_S)
    at = clock.now()
    counts = []
    while uids := await store.expired_jobs(DESTINATION, DAY_S, 60, 100):
        counts.append(await store.expire_deliveries(uids, DAY_S, 60, at, "too old", 10))
        for uid in ("x", "y"):
            states = (await jobs.states(uid)).split()
            assert states == sorted(states), "a later delivery was parked before an earlier one"
        due = await store.due(DESTINATION, 10)
        assert {one.job_uid for one in due} == {
            uid for uid in ("x", "y") if "pending" in [*(await jobs.states(uid)).split()]
        }
    assert counts == [10, 10, 10, 10, 10]
    assert await store.expire_deliveries(["x", "nobody"], DAY_S, 60, at, "too old", 10) == 0


async def test_the_next_deliveries_of_a_job_expire_too(store: Store, jobs: Jobs, clock: FakeClock) -> None:
    await jobs.emit("x", A, 3)
    clock.advance(5 * DAY_S)
    assert await store.expire_deliveries(["x"], DAY_S, 60, clock.now(), "too old", 2) == 2
    assert [one.due_ms for one in await store.due(DESTINATION, 9)] == [0]


async def test_only_old_deliveries_are_parked_and_the_jobs_next_one_is_due(
    store: Store, jobs: Jobs, clock: FakeClock
) -> None:
    await jobs.emit("x", A, 2)
    clock.advance(DAY_S)
    await jobs.emit("x", A)
    assert await store.expired_jobs(DESTINATION, DAY_S, 60, 10) == []
    assert await store.expire_deliveries(["x"], DAY_S, 60, clock.now(), "too old", 10) == 0
    clock.advance(1)
    assert await store.expired_jobs(DESTINATION, DAY_S, 60, 10) == ["x"]
    assert await store.expire_deliveries(["x"], DAY_S, 60, clock.now(), "too old", 10) == 2
    assert await jobs.states("x") == "parked parked pending"
    assert [one.event_id for one in await store.due(DESTINATION, 9)] == ["x-3"]


async def test_the_breaker_of_a_host_without_pending_deliveries_is_dropped(
    running: Running, jobs: Jobs, scans: Any, until: Any, store: Store
) -> None:
    await jobs.emit("x", A, 3)
    async with running() as rig:
        await opened(rig, until)
        await scans(rig, 30)
        assert rig.dispatcher.state().breakers == 1, "a delivery waits for the host"
        await passed(rig, until, 3 * DAY_S)
        await scans(rig, 3)
        assert await jobs.states("x") == "parked parked parked"
        await passed(rig, until, SETTINGS.breaker_cooldown_s)
        await scans(rig, 2)
        assert (rig.dispatcher.state().breakers, rig.dispatcher.state().breakers_open) == (0, 0)


async def test_failures_of_a_host_without_pending_deliveries_are_dropped_after_the_cooldown(
    running: Running, jobs: Jobs, scans: Any, until: Any
) -> None:
    await jobs.emit("x", A)
    async with running(breaker_threshold=5, max_retries=0, max_requeues=0, breaker_cooldown_s=90) as rig:
        await until(lambda: rig.sent)
        await scans(rig, 2)
        assert await jobs.states("x") == "parked"
        assert rig.dispatcher.state().breakers == 1, "its failures count for its next event, for a while"
        await scans(rig, 3)
        assert rig.dispatcher.state().breakers == 0
