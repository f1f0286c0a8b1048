"""A random walk through outbox, queues, breakers and dispatcher: any order of events, answers, waits, replays, clock steps and crashes.

SQLite and the dispatcher are real; the clock and the receiver are the walk's. At each step no job has two requests under way, and no
event overtakes an earlier one; in the end no event is lost, repeated without a reason, or stuck. The walk finds a mutation of the rule
"one in flight per job" at once.
"""

import asyncio
import contextlib
import shutil
import tempfile
from collections import Counter, defaultdict
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from jobd.events.delivery.dispatcher import Dispatcher
from jobd.events.delivery.policies.response_policy import Answer
from jobd.events.delivery.queues.destination import destination_of
from jobd.events.delivery.settings import DispatcherSettings
from jobd.store.store import Store
from jobd.store.tables.rows import Callback, JobRow, NewEvent, Transition
from tests.support.delivery.walk_receiver import Busy, Receiver, Request
from tests.support.fakes.clock import FakeClock

STEPS_A_WALK = 100
SETTINGS = DispatcherSettings(
    buffer_size=30,
    workers=3,
    max_retries=1,
    initial_backoff_s=1,
    max_backoff_s=4,
    breaker_threshold=3,
    breaker_cooldown_s=10,
    max_requeues=1,
)
HOSTS = ("a", "a", "b", "a", "c")
JOBS = 40
"""More jobs than one destination takes into memory, so that some wait on disk for others."""
BATCHING = {f"j{n}" for n in range(JOBS) if n % 4 == 1}
TAKEN = Answer("answer", 204)
ANSWERS = {
    "taken": TAKEN,
    "broken": Answer("answer", 503),
    "busy": Answer("answer", 429, "7"),
    "refused": Answer("answer", 400),
    "gone": Answer("answer", 410),
    "down": Answer("network", text="cannot connect"),
    "forbidden": Answer("refused", text="policy"),
}
walked: Counter[str] = Counter()


class Walk(RuleBasedStateMachine):
    """The model: emitted events, accepted events, and events that may be late or repeated, by job and number."""

    dispatchers: type[Dispatcher] = Dispatcher

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        memory = Path("/dev/shm")
        self.folder = Path(tempfile.mkdtemp(dir=memory if memory.is_dir() else None))
        self.clock = FakeClock()
        self.emitted: Counter[str] = Counter()
        self.versions: dict[str, int] = {}
        self.taken: dict[str, list[int]] = defaultdict(list)
        self.furthest: Counter[str] = Counter()
        self.allowed: set[tuple[str, int]] = set()
        self.loose: set[tuple[str, int]] = set()
        self.wrong: list[str] = []
        self.at_once: str | None = None
        self.store = self.loop.run_until_complete(Store.open(self.folder / "jobd.db", clock=self.clock))
        self.do(self.begin())

    def do(self, work: Coroutine[Any, Any, Any]) -> Any:
        async def then_quiet() -> Any:
            done = await work
            await self.quiet()
            return done

        return self.loop.run_until_complete(then_quiet())

    async def begin(self) -> None:
        self.outbox = Busy(self.store)
        self.receiver = Receiver(self)
        outbox: Any = self.outbox
        self.dispatcher = self.dispatchers(outbox, self.receiver, SETTINGS, self.clock, spread=lambda: 0.5)
        self.running = asyncio.ensure_future(self.dispatcher.run())

    async def quiet(self) -> None:
        """Returns once no task can continue without an answer or the clock."""
        still = 0
        while still < 12:
            await asyncio.sleep(0 if self.outbox.calls == 0 else 0.0002)
            still = still + 1 if self.outbox.calls == 0 else 0
            if self.running.done():
                self.running.result()

    def sends(self, request: Request, others: list[Request]) -> None:
        if any(other.job == request.job for other in others):
            self.wrong.append(f"two of {request.job} at once")
        if request.numbers != sorted(set(request.numbers)):
            self.wrong.append(f"a batch out of order: {request.numbers}")
        for number in request.numbers:
            if number <= self.furthest[request.job] and (request.job, number) not in self.allowed:
                self.wrong.append(f"{request.job}-{number} goes after {self.furthest[request.job]}")

    @initialize(one_host=st.booleans())
    def hosts(self, one_host: bool) -> None:
        self.one_host = one_host

    @rule(
        first=st.integers(0, JOBS - 1),
        jobs=st.sampled_from([1, 1, 1, 20]),
        count=st.integers(1, 6),
        notified=st.booleans(),
    )
    def emit(self, first: int, jobs: int, count: int, notified: bool) -> None:
        walked["steps"] += 1
        for job in range(first, first + jobs):
            self.emit_one(job % JOBS, count, notified)

    def emit_one(self, job: int, count: int, notified: bool) -> None:
        uid, url = f"j{job}", f"http://{'a' if self.one_host else HOSTS[job % len(HOSTS)]}.test/"
        first = self.emitted[uid] == 0
        numbers = range(self.emitted[uid] + 1, self.emitted[uid] + count + 1)
        events = tuple(
            NewEvent(f"{uid}-{n}", "t", b'{"job":"%s","n":%d}' % (uid.encode(), n), self.clock.now(), True)
            for n in numbers
        )
        self.emitted[uid] += count
        version = self.versions[uid] = 0 if first else self.versions[uid] + 1
        row = JobRow(
            uid, uid, None, "running", {}, self.clock.now(), None, True, False, True, b"", version=version
        )
        callback = Callback(url, None, destination_of(url), uid in BATCHING)

        async def commit() -> None:
            await self.store.commit(Transition(row, events, callback=callback, claim_id=first))
            if notified:
                self.dispatcher.notify(uid)

        self.do(commit())

    @rule(which=st.integers(0, 99), how=st.sampled_from(["taken"] * 5 + list(ANSWERS)))
    def answer(self, which: int, how: str) -> None:
        # Not a precondition: which requests wait may depend on threads, and draws must not.
        if self.receiver.waiting:
            walked["steps"] += 1
            self.give(self.receiver.waiting[which % len(self.receiver.waiting)], how)

    @rule(how=st.sampled_from([None, None, "down", "taken"]))
    def answers_come_at_once(self, how: str | None) -> None:
        """From now on every new request is answered at once."""
        walked["steps"] += 1
        self.at_once = how

    def give(self, request: Request, how: str) -> None:
        self.book(request, how)

        async def nothing() -> None:
            pass

        self.do(nothing())

    def book(self, request: Request, how: str) -> None:
        if how == "taken":
            for number in request.numbers:
                again = number in self.taken[request.job]
                if again and (request.job, number) not in self.allowed:
                    self.wrong.append(f"{request.job}-{number} was repeated without a reason")
                self.taken[request.job].append(number)
        if how in ("taken", "refused", "forbidden") and (how == "taken" or len(request.numbers) == 1):
            self.furthest[request.job] = max(self.furthest[request.job], request.numbers[-1])
        request.answer.set_result(ANSWERS[how])

    @rule(seconds=st.sampled_from([0.01, 0.5, 2.0, 8.0, 31.0]))
    def wait(self, seconds: float) -> None:
        walked["steps"] += 1

        async def pass_by() -> None:
            self.clock.advance(seconds)

        self.do(pass_by())

    @rule(seconds=st.sampled_from([-86_400.0, -7_000.0, -60.0, 60.0, 7_000.0, 86_400.0]))
    def set_the_wall_clock(self, seconds: float) -> None:
        """Changes nothing: jobd waits by a clock that nobody can set."""
        walked["steps"] += 1
        walked["clock steps"] += 1
        self.clock.jump(seconds)

    @precondition(lambda self: sum(self.emitted.values()) > 0)
    @rule(which=st.integers(1, 400))
    def replay(self, which: int) -> None:
        walked["steps"] += 1
        self.do(self._replay(which % sum(self.emitted.values()) + 1))

    async def _replay(self, delivery_id: int) -> None:
        before = await self.store.delivery(delivery_id)
        assert before is not None
        uid, _, number = before.event_id.rpartition("-")
        if before.state != "pending":
            self.allowed.add((uid, int(number)))
        else:
            # The delivery may be answered and not stored: then the old row stays.
            self.allowed |= {(uid, int(number))} if int(number) in self.taken[uid] else set()
        self.loose.add((uid, int(number)))
        if before.state == "abandoned":
            self.loose |= {(uid, n) for n in range(1, self.emitted[uid] + 1)}
        await self.dispatcher.replay(delivery_id)

    @rule()
    def crash(self) -> None:
        walked["steps"] += 1
        walked["crashes"] += 1

        async def die_and_rise() -> None:
            self.running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self.running
            await self.receiver.hang_up()
            for uid, numbers in self.taken.items():
                states = {d.event_id: d.state for d in await self.store.deliveries(uid, 0, 10_000)}
                lost = {(uid, n) for n in numbers if states[f"{uid}-{n}"] == "pending"}
                self.allowed |= lost  # accepted and not stored: these are repeated
                self.loose |= lost
            await self.begin()

        self.do(die_and_rise())

    @invariant()
    def nothing_is_wrong(self) -> None:
        assert not self.wrong, self.wrong

    def teardown(self) -> None:
        try:
            if not self.wrong:
                self.finish()
        finally:
            self.running.cancel()
            with contextlib.suppress(BaseException):
                self.loop.run_until_complete(self.running)
            self.loop.run_until_complete(self.receiver.hang_up())
            self.loop.run_until_complete(self.store.close())
            self.loop.close()
            shutil.rmtree(self.folder)

    def finish(self) -> None:
        """All receivers accept from now on: all events must be sent."""
        self.at_once = None
        for _ in range(400):
            while self.receiver.waiting and not self.wrong:
                self.give(self.receiver.waiting[0], "taken")
            if self.do(self.store.counts()).pending == 0:
                break
            self.wait(11)
        assert not self.wrong, self.wrong
        assert self.do(self.store.counts()).pending == 0, "an event is stuck"
        for uid, count in self.emitted.items():
            states = {d.event_id: d.state for d in self.do(self.store.deliveries(uid, 0, 10_000))}
            assert len(states) == count, "an event is lost"
            for number in range(1, count + 1):
                state = states[f"{uid}-{number}"]
                if state == "delivered":
                    assert number in self.taken[uid], "stored as delivered, but never accepted"
                elif (uid, number) not in self.loose:
                    assert number not in self.taken[uid], "accepted, but not stored as delivered"


def check(machine: type[Walk], walks: int, phases: tuple[Phase, ...]) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=walks,
            stateful_step_count=STEPS_A_WALK,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            database=None,
            phases=phases,
        ),
    )
