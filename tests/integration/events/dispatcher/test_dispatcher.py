"""The dispatcher on a real outbox, with a scripted sender and a clock that tests move: order, fairness, bounds."""

import asyncio
import random
from collections import defaultdict
from typing import Any

from jobd.events.delivery.policies.response_policy import Answer
from jobd.store.errors import StoreFull
from jobd.store.tables.delivery_rows import Settlement
from tests.support.delivery.delivery_rig import DOWN, OK, A, B


async def test_events_of_a_job_go_out_in_order_and_one_at_a_time(rig: Any, jobs: Any, until: Any) -> None:
    async with rig() as r:
        for uid in ("x", "y", "z"):
            await jobs.emit(uid, A, 20)
            r.dispatcher.notify(uid)
        await until(lambda: len(r.sender.sent) == 60)
        for uid in ("x", "y", "z"):
            assert r.sender.of(uid) == [f"{uid}-{n}" for n in range(1, 21)]
        await until(lambda: r.dispatcher.state().held == 0)
        assert await jobs.states("x") == " ".join(["delivered"] * 20)
        assert r.observer.counts["delivered"] == 60


async def test_pending_events_are_sent_at_the_start_without_a_notification(
    rig: Any, jobs: Any, until: Any
) -> None:
    for n in range(300):
        await jobs.emit(f"j{n}", f"http://host{n % 7}.test/", 1)
    async with rig() as r:
        await until(lambda: len(r.sender.sent) == 300)


async def test_a_scan_finds_the_events_of_a_lost_notification(rig: Any, jobs: Any, tick: Any) -> None:
    async with rig() as r:
        await asyncio.sleep(0)
        await jobs.emit("x", A)
        await tick(r, lambda: r.sender.sent)
        assert r.clock.monotonic() < 60


async def test_one_dead_host_among_twenty_hurts_only_itself(rig: Any, jobs: Any, until: Any) -> None:
    never = asyncio.Event()

    async def hang(event_id: str) -> Answer:
        await never.wait()
        return OK

    async with rig() as r:
        r.sender.answers["http://dead.test/"] = hang
        for n in range(50):
            await jobs.emit(f"dead{n}", "http://dead.test/")
            r.dispatcher.notify(f"dead{n}")
        await until(lambda: r.dispatcher.state().in_flight)
        for n in range(19):
            for k in range(10):
                await jobs.emit(f"h{n}j{k}", f"http://host{n}.test/", 3)
                r.dispatcher.notify(f"h{n}j{k}")
        await until(lambda: len(r.sender.sent) >= 19 * 30 + 2)
        await until(lambda: r.observer.counts["delivered"] == 19 * 30)
        assert r.dispatcher.state().in_flight == 2  # at most a fifth of the workers


async def test_few_workers_do_not_wait_for_a_full_commit(rig: Any, jobs: Any, until: Any) -> None:
    await jobs.emit("x", A, 200)
    async with rig(workers=1, record_after_s=3600) as r:
        await until(lambda: len(r.sender.sent) == 200)  # the clock stands still


async def test_memory_holds_no_more_than_the_buffer_and_all_is_delivered(
    rig: Any, jobs: Any, until: Any
) -> None:
    most = 0
    for n in range(200):
        await jobs.emit(f"j{n}", f"http://host{n % 5}.test/", 5)
    async with rig(buffer_size=7, workers=4) as r:

        def done() -> Any:
            nonlocal most
            most = max(most, r.dispatcher.state().held)
            return r.observer.counts["delivered"] == 1000

        await until(done)
        assert most <= 7
        assert r.sender.most_at_once <= 4
        for n in range(200):
            assert r.sender.of(f"j{n}") == [f"j{n}-{k}" for k in range(1, 6)]


async def test_a_buffer_full_of_one_hosts_events_starves_no_other_host(
    rig: Any, jobs: Any, until: Any
) -> None:
    never = asyncio.Event()

    async def hang(event_id: str) -> Answer:
        await never.wait()
        return OK

    for n in range(100):
        await jobs.emit(f"slow{n}", A)
    async with rig(buffer_size=60, workers=10) as r:
        r.sender.answers[A] = hang
        await until(lambda: r.sender.sent)
        await jobs.emit("late", B, 3)
        r.dispatcher.notify("late")
        await until(lambda: len(r.sender.of("late")) == 3)


async def test_a_busy_job_does_not_block_other_jobs_of_its_host(rig: Any, jobs: Any, until: Any) -> None:
    await jobs.emit("busy", A, 400)
    for n in range(100):
        await jobs.emit(f"j{n}", A)
    async with rig(workers=1, buffer_size=3) as r:
        await until(lambda: len({e for _, e in r.sender.sent}) == 500)
        last_of_others = max(i for i, (_, e) in enumerate(r.sender.sent) if e.startswith("j"))
        assert last_of_others < 499 - 200


async def test_a_full_disk_does_not_repeat_a_delivery(
    rig: Any, jobs: Any, until: Any, tick: Any, store: Any
) -> None:
    class FullForAWhile:
        def __init__(self) -> None:
            self.refusals = 3

        def __getattr__(self, name: str) -> Any:
            return getattr(store, name)

        async def settle(self, settlements: list[Settlement]) -> Any:
            if self.refusals:
                self.refusals -= 1
                raise StoreFull("full")
            return await store.settle(settlements)

    async with rig(outbox=FullForAWhile()) as r:
        await jobs.emit("x", A, 2)
        r.dispatcher.notify("x")
        await tick(r, lambda: r.observer.counts["delivered"] == 2)
        assert r.sender.of("x") == ["x-1", "x-2"]


async def test_a_defect_in_one_delivery_does_not_end_the_others(rig: Any, jobs: Any, until: Any) -> None:
    def broken(event_id: str) -> Answer:
        raise RuntimeError("a mistake")

    async with rig() as r:
        r.sender.answers[A] = broken
        await jobs.emit("x", A)
        await jobs.emit("y", B)
        for uid in "xy":
            r.dispatcher.notify(uid)
        await until(lambda: r.observer.counts["delivered"] == 1 and r.observer.counts["parked"] == 1)
        assert await jobs.states("x") == "parked"


async def test_long_bodies_are_read_from_the_store(rig: Any, jobs: Any, until: Any) -> None:
    async with rig() as r:
        await jobs.emit("x", A, 3, text="x" * 100_000)
        r.dispatcher.notify("x")
        await until(lambda: r.observer.counts["delivered"] == 3)


async def test_more_notifications_than_are_kept_lose_no_event(rig: Any, jobs: Any, tick: Any) -> None:
    async with rig() as r:
        for n in range(50):
            await jobs.emit(f"j{n}", A)
        for n in range(6000):
            r.dispatcher.notify(f"none{n}")
        for n in range(50):
            r.dispatcher.notify(f"j{n}")
        await tick(r, lambda: r.observer.counts["delivered"] == 50)


async def test_random_failures_keep_the_order_and_lose_no_event(rig: Any, jobs: Any, tick: Any) -> None:
    dice = random.Random(7)
    async with rig(breaker_cooldown_s=2, max_requeues=1000) as r:

        def flaky(event_id: str) -> Answer:
            return dice.choice(
                [OK, OK, DOWN, Answer("answer", 500), Answer("timeout"), Answer("answer", 302)]
            )

        for host in (A, B, "http://c.test/"):
            r.sender.answers[host] = flaky
        for n in range(30):
            uid = f"j{n}"
            await jobs.emit(uid, (A, B, "http://c.test/")[n % 3], 4)
            r.dispatcher.notify(uid)
        await tick(r, lambda: r.observer.counts["delivered"] == 120)
        seen: dict[str, list[str]] = defaultdict(list)
        for _, event_id in r.sender.sent:
            seen[event_id.rpartition("-")[0]].append(event_id)
        for order in seen.values():
            assert order == sorted(order)
