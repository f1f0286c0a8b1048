"""The wall clock is set at any moment of a delivery: no event waits for that.

SQLite and the dispatcher are real; only tests move the clock.
"""

from collections.abc import Callable
from typing import Any

import pytest

from jobd.events.delivery.policies.response_policy import Answer
from jobd.store.store import Store
from tests.integration.events.conftest import Jobs
from tests.support.delivery.delivery_rig import DOWN, OK, A
from tests.support.fakes.clock import FakeClock

HOUR_S = 3600.0
STEPS_S = (-HOUR_S, -60.0, -2 * HOUR_S, -24 * HOUR_S, HOUR_S, 24 * HOUR_S)
MOMENTS = (
    "before the commit",
    "before the notification",
    "before due_of",
    "after due_of",
    "before the answer",
    "before settle",
    "after settle",
    "never",
)
AT_ONCE_S = 5.0
"""More than all backoffs of one round, far less than the time between two scans."""


class Moments:
    """Sets the wall clock once, at the chosen moment of the first delivery after `armed`."""

    def __init__(self, clock: FakeClock, moment: str, step_s: float) -> None:
        self._clock = clock
        self._moment = moment
        self._step_s = step_s
        self.armed = False

    def reached(self, moment: str) -> None:
        if self.armed and moment == self._moment:
            self.armed = False
            self._clock.jump(self._step_s)


class Outbox:
    """The store, with moments before and after each call."""

    def __init__(self, store: Store, moments: Moments) -> None:
        self._store = store
        self._moments = moments

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._store, name)
        if not name.startswith(("due", "settle", "destinations", "replay")):
            return method  # type: ignore[no-any-return]

        async def call(*arguments: Any, **options: Any) -> Any:
            self._moments.reached(f"before {name}")
            found = await method(*arguments, **options)
            self._moments.reached(f"after {name}")
            return found

        return call


@pytest.mark.parametrize("step_s", STEPS_S)
@pytest.mark.parametrize("moment", MOMENTS)
async def test_no_event_waits_after_a_step_of_the_wall_clock(
    rig: Any, store: Store, jobs: Jobs, clock: FakeClock, until: Any, tick: Any, moment: str, step_s: float
) -> None:
    moments = Moments(clock, moment, step_s)

    async def answer(event_id: str) -> Answer:
        if event_id == "x-1":  # the job gets further events while the first is sent
            await jobs.emit("x", A, 2, at=clock.now())
            r.dispatcher.notify("x")
        moments.reached("before the answer")
        return OK

    async with rig(outbox=Outbox(store, moments)) as r:
        r.sender.answers[A] = answer
        await until(lambda: clock._sleepers)
        moments.armed = True
        at = clock.now()
        moments.reached("before the commit")
        await jobs.emit("x", A, at=at)
        moments.reached("before the notification")
        r.dispatcher.notify("x")
        await tick(r, lambda: r.observer.counts["delivered"] == 3)
        assert moments.armed == (moment == "never")
        assert clock.monotonic() < AT_ONCE_S
        assert r.sender.of("x") == ["x-1", "x-2", "x-3"]


@pytest.mark.parametrize("step_s", STEPS_S)
@pytest.mark.parametrize("moment", ["before the answer", "before settle", "after settle", "later"])
async def test_a_step_of_the_wall_clock_prolongs_and_shortens_no_wait_for_a_retry(
    rig: Any, store: Store, jobs: Jobs, clock: FakeClock, until: Any, tick: Any, moment: str, step_s: float
) -> None:
    moments = Moments(clock, moment, step_s)
    answers = [Answer("answer", 429, "20"), DOWN, OK]

    def answer(_: str) -> Answer:
        moments.reached("before the answer")
        return answers.pop(0)

    async with rig(outbox=Outbox(store, moments), breaker_threshold=100) as r:
        r.sender.answers[A] = answer
        moments.armed = True
        await jobs.emit("x", A, at=clock.now())
        r.dispatcher.notify("x")
        await until(lambda: r.observer.counts["retried"] == 1 and not r.dispatcher.state().held)
        moments.reached("later")
        assert not moments.armed
        await tick(r, lambda: r.observer.counts["retried"] == 2)
        assert 20 <= clock.monotonic() < 20 + AT_ONCE_S
        await tick(r, lambda: r.observer.counts["delivered"] == 1)
        assert clock.monotonic() < 20 + AT_ONCE_S


@pytest.mark.parametrize("step_s", STEPS_S)
async def test_an_event_of_before_a_step_and_a_restart_is_sent_at_once(
    rig: Any, jobs: Jobs, clock: FakeClock, tick: Any, step_s: float
) -> None:
    await jobs.emit("x", A, 2, at=clock.now())
    clock.jump(step_s)
    async with rig() as r:
        await tick(r, lambda: r.observer.counts["delivered"] == 2)
        assert clock.monotonic() < AT_ONCE_S


@pytest.mark.parametrize("step_s", STEPS_S)
@pytest.mark.parametrize("moment", ["before replay", "after replay", "before due_of", "after due_of"])
async def test_a_replayed_event_does_not_wait_after_a_step_of_the_wall_clock(
    rig: Any, store: Store, jobs: Jobs, clock: FakeClock, until: Any, tick: Any, moment: str, step_s: float
) -> None:
    moments = Moments(clock, moment, step_s)
    async with rig(outbox=Outbox(store, moments)) as r:
        r.sender.answers[A] = lambda _: Answer("answer", 400)
        (event,) = await jobs.emit("x", A, at=clock.now())
        r.dispatcher.notify("x")
        await tick(r, lambda: r.observer.counts["parked"])
        r.sender.answers[A] = lambda _: OK
        moments.armed = True
        await r.dispatcher.replay(event.seq)
        await tick(r, lambda: r.observer.counts["delivered"])
        assert not moments.armed
        assert clock.monotonic() < AT_ONCE_S


@pytest.mark.parametrize("step_s", STEPS_S)
async def test_many_jobs_of_one_host_do_not_wait_after_a_step_of_the_wall_clock(
    rig: Any, jobs: Jobs, clock: FakeClock, until: Any, tick: Any, step_s: float
) -> None:
    count = 60

    def answer(event_id: str) -> Answer:
        if event_id == "j7-1":
            clock.jump(step_s)
        return OK

    async with rig(buffer_size=8, workers=2) as r:
        r.sender.answers[A] = answer
        for n in range(count):
            await jobs.emit(f"j{n}", A, 2, at=clock.now())
        for n in range(count):
            r.dispatcher.notify(f"j{n}")
        await tick(r, lambda: r.observer.counts["delivered"] == 2 * count)
        assert clock.monotonic() < AT_ONCE_S
