"""Retries, requeues, breakers and expiry of the dispatcher, with a scripted sender and a clock that tests advance."""

import asyncio
import itertools
from typing import Any

from jobd.events.delivery.policies.response_policy import Answer
from jobd.store.store import Store
from tests.support.delivery.delivery_rig import DOWN, OK, A, B


async def test_a_round_of_retries_is_followed_by_a_requeue(
    rig: Any, jobs: Any, tick: Any, store: Any
) -> None:
    async with rig(max_requeues=1, breaker_threshold=100) as r:
        r.sender.answers[A] = lambda _: Answer("answer", 503)
        moments: list[float] = []

        def busy(event_id: str) -> Answer:
            moments.append(r.clock.monotonic())
            return Answer("answer", 503)

        await jobs.emit("x", A, 2)
        r.sender.answers[A] = busy
        r.dispatcher.notify("x")
        await tick(r, lambda: len(r.sender.of("x")) > 8, step_s=0.05)
        assert r.sender.of("x")[:9] == ["x-1"] * 8 + [
            "x-2"
        ]  # two rounds of four, then the next event is sent
        waits = [later - earlier for earlier, later in itertools.pairwise(moments)]
        assert all(wait < 5 for wait in waits[:3] + waits[4:7])
        assert waits[3] >= 30
        first = (await store.deliveries("x", 0, 1))[0]
        assert (first.state, first.attempts, first.requeues) == ("parked", 8, 1)
        assert first.last_error is not None
        assert "gave up after 2 rounds: HTTP 503" in first.last_error
        assert (r.observer.counts["requeued"], r.observer.counts["parked"]) == (1, 1)


async def test_later_events_wait_while_the_first_is_retried(
    rig: Any, jobs: Any, tick: Any, until: Any
) -> None:
    failing = True
    async with rig(breaker_threshold=100) as r:
        r.sender.answers[A] = lambda event_id: DOWN if failing and event_id == "x-1" else OK
        await jobs.emit("x", A, 3)
        await jobs.emit("y", A, 1)
        for uid in "xy":
            r.dispatcher.notify(uid)
        await until(lambda: r.sender.of("y") and r.sender.of("x"))
        assert set(r.sender.of("x")) == {"x-1"}
        failing = False
        await tick(r, lambda: len(set(r.sender.of("x"))) == 3)
        order = r.sender.of("x")
        assert order == sorted(order)


async def test_retry_after_is_honoured_and_clamped(rig: Any, jobs: Any, tick: Any, store: Any) -> None:
    async with rig(max_retry_after_s=100, breaker_threshold=100) as r:
        moments: list[float] = []
        answers = iter(["60", "99999999", None])

        def busy(event_id: str) -> Answer:
            moments.append(r.clock.monotonic())
            wait = next(answers)
            return Answer("answer", 429, wait) if wait else OK

        r.sender.answers[A] = busy
        await jobs.emit("x", A)
        r.dispatcher.notify("x")
        await tick(r, lambda: len(moments) == 3, step_s=1)
        assert 60 <= moments[1] - moments[0] < 75
        assert 100 <= moments[2] - moments[1] < 115


async def test_gone_ends_this_callback_alone(rig: Any, jobs: Any, until: Any, store: Any) -> None:
    async with rig() as r:
        r.sender.answers[A] = lambda event_id: Answer("answer", 410) if event_id == "x-2" else OK
        await jobs.emit("x", A, 5)
        await jobs.emit("y", A, 5)
        for uid in "xy":
            r.dispatcher.notify(uid)
        await until(lambda: len(r.sender.of("y")) == 5)
        await until(lambda: r.dispatcher.state().held == 0)
        assert r.sender.of("x") == ["x-1", "x-2"]
        assert await jobs.states("x") == "delivered abandoned abandoned abandoned abandoned"
        assert r.observer.counts["abandoned"] == 4


async def test_refused_events_are_parked_at_once_and_can_be_replayed(rig: Any, jobs: Any, until: Any) -> None:
    async with rig() as r:
        r.sender.answers[A] = lambda event_id: Answer("answer", 415) if event_id == "x-1" else OK
        (first, *_) = await jobs.emit("x", A, 3)
        r.dispatcher.notify("x")
        await until(lambda: r.sender.of("x") == ["x-1", "x-2", "x-3"])
        await until(lambda: r.dispatcher.state().held == 0)
        assert await jobs.states("x") == "parked delivered delivered"
        r.sender.answers[A] = lambda _: OK
        replayed = await r.dispatcher.replay(first.seq)
        assert replayed is not None
        assert replayed.state == "pending"
        await until(lambda: r.sender.of("x")[-1] == "x-1")
        await until(lambda: r.dispatcher.state().held == 0)
        assert await jobs.states("x") == "delivered delivered delivered"
        assert await r.dispatcher.replay(999) is None


async def test_an_open_breaker_tries_nothing_and_counts_nothing_but_a_probe(
    rig: Any, jobs: Any, tick: Any, until: Any, store: Any
) -> None:
    async with rig(workers=10) as r:
        r.sender.answers[A] = lambda _: DOWN
        for n in range(20):
            await jobs.emit(f"a{n}", A)
            r.dispatcher.notify(f"a{n}")
        await until(lambda: ("http://a.test:80", "open") in r.observer.breakers)
        await until(lambda: r.dispatcher.state().in_flight == 0)
        tried = len(r.sender.sent)
        assert (
            5 <= tried <= 6
        )  # the fifth failure opens the breaker; one more request may have been under way
        assert r.dispatcher.state().breakers_open == 1
        for uid in ("b1", "b2"):
            await jobs.emit(uid, B)
            r.dispatcher.notify(uid)
        await until(lambda: r.sender.of("b1") and r.sender.of("b2"))
        r.clock.advance(29)
        await jobs.emit("a99", A)
        r.dispatcher.notify("a99")
        await jobs.emit("b3", B)
        r.dispatcher.notify("b3")
        await until(lambda: r.sender.of("b3"))
        assert len(r.sender.sent) == tried + 3
        counted = sum([(await store.deliveries(f"a{n}", 0, 1))[0].attempts for n in range(20)])
        assert counted == tried
        r.clock.advance(1)
        await until(lambda: len(r.sender.sent) == tried + 4)  # one probe
        await until(lambda: r.observer.breakers[-1] == ("http://a.test:80", "open"))
        r.sender.answers[A] = lambda _: OK
        await tick(r, lambda: r.observer.counts["delivered"] == 24)
        assert r.dispatcher.state().breakers == 0


async def test_too_old_deliveries_of_a_host_that_stays_down_are_parked(
    rig: Any, jobs: Any, tick: Any
) -> None:
    async with rig(max_age_s=10_000, breaker_threshold=1) as r:
        r.sender.answers[A] = lambda _: DOWN
        for n in range(400):
            await jobs.emit(f"a{n}", A)
        r.dispatcher.notify("a0")
        await tick(r, lambda: r.observer.counts["parked"] == 400, step_s=30)
        assert r.clock.monotonic() < 12_000
        assert r.sender.sent  # the host was probed


async def test_deliveries_read_while_their_breaker_opens_are_sent_after_the_cooldown(
    rig: Any, jobs: Any, tick: Any, until: Any, store: Store
) -> None:
    opened = asyncio.Event()

    class SlowToRead:
        reads = 0

        def __getattr__(self, name: str) -> Any:
            return getattr(store, name)

        async def due_of(self, uids: list[str], ahead: int = 0) -> Any:
            found = await store.due_of(uids, ahead)
            self.reads += 1
            if self.reads == 2:
                await opened.wait()
            return found

    for n in range(60):
        await jobs.emit(f"j{n}", A, 2)
    async with rig(outbox=SlowToRead(), workers=3, buffer_size=9, breaker_threshold=1) as r:
        r.sender.answers[A] = lambda _: DOWN
        await until(lambda: r.dispatcher.state().breakers_open == 1)
        opened.set()
        r.sender.answers[A] = lambda _: OK
        await tick(r, lambda: r.observer.counts["delivered"] == 120)
