"""The dispatcher drains, restarts and continues from the outbox, also after the wall clock was set back."""

import asyncio
from typing import Any

from jobd.events.delivery.policies.response_policy import Answer
from tests.support.delivery.delivery_rig import DOWN, OK, A, ScriptedSender
from tests.support.fakes.clock import FakeClock


async def test_a_restart_continues_and_repeats_only_deliveries_in_flight(
    rig: Any, jobs: Any, until: Any
) -> None:
    taken: list[str] = []
    never = asyncio.Event()

    async def take_and_die(event_id: str) -> Answer:
        taken.append(event_id)
        await never.wait()
        return OK

    await jobs.emit("x", A, 10)
    async with rig() as r:
        r.sender.answers[A] = lambda event_id: take_and_die(event_id) if event_id == "x-4" else OK
        await until(lambda: taken == ["x-4"])

        async def recorded() -> Any:
            return (await jobs.states("x")).startswith("delivered delivered delivered")

        await until(recorded)
    sender = ScriptedSender()
    async with rig(sender=sender) as r:
        await until(lambda: len(sender.sent) == 7)
        assert sender.of("x") == [f"x-{n}" for n in range(4, 11)]


async def test_a_retry_that_was_planned_before_a_restart_keeps_its_time(
    rig: Any, jobs: Any, clock: FakeClock, until: Any, tick: Any
) -> None:
    await jobs.emit("x", A)
    async with rig() as r:
        r.sender.answers[A] = lambda _: Answer("answer", 503, "60")
        await until(lambda: r.observer.counts["retried"])
    clock.advance(10)
    async with rig() as r:
        await until(lambda: clock._sleepers)
        assert not r.sender.sent
        await tick(r, lambda: r.sender.sent)
        assert 60 <= clock.monotonic() <= 95


async def test_a_wall_clock_set_back_a_day_stops_nothing(rig: Any, jobs: Any, until: Any, tick: Any) -> None:
    async with rig(breaker_threshold=100) as r:
        r.sender.answers[A] = lambda _: DOWN
        await jobs.emit("x", A, 2)
        r.dispatcher.notify("x")
        await until(lambda: r.observer.counts["retried"])
        r.clock.jump(-86400)
        r.sender.answers[A] = lambda _: OK
        await tick(r, lambda: r.observer.counts["delivered"] == 2)
        assert r.clock.monotonic() < 120


async def test_drain_waits_for_requests_under_way_and_starts_no_others(
    rig: Any, jobs: Any, until: Any
) -> None:
    go = asyncio.Event()

    async def slow(event_id: str) -> Answer:
        await go.wait()
        return OK

    async with rig() as r:
        r.sender.answers[A] = slow
        await jobs.emit("x", A, 1000)
        r.dispatcher.notify("x")
        await until(lambda: r.sender.sent)
        draining = asyncio.ensure_future(r.dispatcher.drain(5))
        await asyncio.sleep(0)
        assert not draining.done()
        go.set()
        assert await draining
        assert r.sender.of("x") == ["x-1"]
        assert (await jobs.states("x")).startswith("delivered pending")


async def test_drain_ends_after_its_timeout(rig: Any, jobs: Any, until: Any) -> None:
    never = asyncio.Event()

    async def hang(event_id: str) -> Answer:
        await never.wait()
        return OK

    async with rig() as r:
        r.sender.answers[A] = hang
        await jobs.emit("x", A)
        r.dispatcher.notify("x")
        await until(lambda: r.sender.sent)
        draining = asyncio.ensure_future(r.dispatcher.drain(5))
        await until(lambda: any(at - r.clock.monotonic() <= 5 for at, _, _ in r.clock._sleepers))
        r.clock.advance(5)
        assert not await draining


async def test_drain_with_nothing_to_do_is_done(rig: Any) -> None:
    async with rig() as r:
        assert await r.dispatcher.drain(5)
