"""The dispatcher on a real outbox, with a scripted sender and a clock that stands still: order, retries, breaker, bounds."""

import asyncio
import itertools
import random
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from jobd.events.delivery.breaker import State
from jobd.events.delivery.dispatcher import Dispatcher
from jobd.events.delivery.response_policy import Answer
from jobd.events.delivery.settings import DispatcherSettings
from jobd.store.errors import StoreFull
from jobd.store.store import Store
from jobd.store.tables.rows import Settlement
from tests.integration.events.conftest import Jobs
from tests.support.fakes.clock import FakeClock

OK = Answer("answer", 204)
DOWN = Answer("network", text="cannot connect")
SETTINGS = DispatcherSettings(record_after_s=0)  # the clock stands still


class ScriptedSender:
    """Answers as a test says; remembers what was sent, and that no job had two at once."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str]] = []
        self.answers: dict[str, Callable[[str], Answer | Awaitable[Answer]]] = {}
        self.in_flight: Counter[str] = Counter()
        self.most_at_once = 0

    async def send(
        self, url: str, key: str | None, event_id: str, body: bytes, *, batch: bool = False
    ) -> Answer:
        job = event_id.rpartition("-")[0]
        assert event_id.encode() in body
        assert not self.in_flight[job], f"two of {job} at once"
        self.in_flight[job] += 1
        self.most_at_once = max(self.most_at_once, self.in_flight.total())
        self.sent.append((url, event_id))
        try:
            script: Callable[[str], Any] = self.answers.get(url, lambda _: OK)
            answer: Any = script(event_id)
            if not isinstance(answer, Answer):
                answer = await answer
            else:
                await asyncio.sleep(0)
            assert isinstance(answer, Answer)
            return answer
        finally:
            self.in_flight[job] -= 1

    def of(self, job: str) -> list[str]:
        return [event_id for _, event_id in self.sent if event_id.rpartition("-")[0] == job]


@dataclass
class RecordingObserver:
    """An observer that keeps what is reported."""

    counts: Counter[str] = field(default_factory=Counter)
    breakers: list[tuple[str, State]] = field(default_factory=list)

    def delivered(self, latency_s: float) -> None:
        self.counts["delivered"] += 1

    def requested(self, seconds: float) -> None:
        self.counts["requested"] += 1

    def failed(self, kind: str) -> None:
        self.counts[f"failed {kind}"] += 1

    def retried(self, kind: str) -> None:
        self.counts["retried"] += 1

    def requeued(self) -> None:
        self.counts["requeued"] += 1

    def dropped(self, outcome: str, count: int) -> None:
        self.counts[outcome] += count

    def breaker_changed(self, destination: str, state: State) -> None:
        self.breakers.append((destination, state))


@dataclass
class Rig:
    dispatcher: Dispatcher
    sender: ScriptedSender
    clock: FakeClock
    observer: RecordingObserver


@pytest.fixture
def rig(store: Store) -> Callable[..., Any]:
    """Runs a dispatcher for the length of a block."""

    @asynccontextmanager
    async def running(outbox: Any = store, **changes: Any) -> AsyncIterator[Rig]:
        sender, clock, observer = (
            ScriptedSender(),
            changes.pop("clock", None) or FakeClock(),
            RecordingObserver(),
        )
        sender = changes.pop("sender", sender)
        settings = replace(SETTINGS, **changes)
        dispatcher = Dispatcher(outbox, sender, settings, clock, observer, spread=lambda: 0.5)
        task = asyncio.ensure_future(dispatcher.run())
        try:
            yield Rig(dispatcher, sender, clock, observer)
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    return running


@pytest.fixture
def tick(until: Any) -> Callable[..., Awaitable[None]]:
    """Moves the clock in small steps until a condition holds; each step waits until all that was due has been done."""

    async def move(r: Rig, condition: Callable[[], Any], step_s: float = 0.5) -> None:
        def quiet() -> bool:
            asleep = sum(not future.done() for _, _, future in r.clock._sleepers)
            return asleep >= (1 if r.dispatcher._queue._all_settled.is_set() else 2)

        async def reached() -> bool:
            outcome = condition()
            return bool(await outcome if asyncio.iscoroutine(outcome) else outcome)

        async with asyncio.timeout(60):
            while not await reached():
                for _ in range(10):
                    await asyncio.sleep(0)
                await until(quiet)
                r.clock.advance(step_s)

    return move


A, B = "http://a.test/hook", "http://b.test/hook"


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
        assert r.sender.of("x")[:9] == ["x-1"] * 8 + ["x-2"]  # two rounds of four, then the next one passes
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
        assert 5 <= tried <= 6  # the fifth failure opens it; one more may have been under way
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
        assert r.dispatcher.state().in_flight == 2  # a fifth of the workers, and no more


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
    rig: Any, jobs: Any, until: Any, tick: Any
) -> None:
    clock = FakeClock()
    await jobs.emit("x", A)
    async with rig(clock=clock) as r:
        r.sender.answers[A] = lambda _: Answer("answer", 503, "60")
        await until(lambda: r.observer.counts["retried"])
    clock.advance(10)
    async with rig(clock=clock) as r:
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


async def test_too_old_deliveries_of_a_host_that_stays_down_are_parked(
    rig: Any, tick: Any, until: Any, tmp_path: Path
) -> None:
    clock = FakeClock()
    store = await Store.open(tmp_path / "old.db", clock=clock)
    jobs = Jobs(store)
    async with rig(outbox=store, clock=clock, max_age_s=10_000, breaker_threshold=1) as r:
        r.sender.answers[A] = lambda _: DOWN
        for n in range(400):
            await jobs.emit(f"a{n}", A)
        r.dispatcher.notify("a0")
        await tick(r, lambda: r.observer.counts["parked"] == 400, step_s=30)
        assert r.clock.monotonic() < 12_000
        assert r.sender.sent  # it was probed all the while
    await store.close()


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
