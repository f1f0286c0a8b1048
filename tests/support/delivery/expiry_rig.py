"""A dispatcher with a failing host and a clock that tests move, for tests of expiry."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any

from jobd.events.delivery.dispatcher import Dispatcher
from jobd.events.delivery.policies.response_policy import Answer
from jobd.events.delivery.settings import DispatcherSettings
from jobd.store.store import Store
from tests.support.fakes.clock import FakeClock
from tests.support.fakes.sender import UnconnectedSender

A = "http://a.test/hook"
DESTINATION = "http://a.test:80"
DAY_S = 86_400.0
SETTINGS = DispatcherSettings(
    record_after_s=0, breaker_threshold=1, breaker_cooldown_s=600, max_age_s=3 * DAY_S, max_requeues=1_000_000
)


@dataclass
class Rig(UnconnectedSender):
    dispatcher: Dispatcher
    clock: FakeClock
    answers: dict[str, Answer] = field(default_factory=dict)
    sent: list[str] = field(default_factory=list)

    async def send(
        self, url: str, key: str | None, event_id: str, body: bytes, *, batch: bool = False
    ) -> Answer:
        self.sent.append(event_id)
        return self.answers.get(url, Answer("network", text="cannot connect"))


Running = Callable[..., Any]


@asynccontextmanager
async def dispatching(store: Store, clock: FakeClock, **changes: Any) -> AsyncIterator[Rig]:
    rig = Rig(None, clock)  # type: ignore[arg-type]
    rig.dispatcher = Dispatcher(store, rig, replace(SETTINGS, **changes), clock, spread=lambda: 0.5)
    task = asyncio.ensure_future(rig.dispatcher.run())
    try:
        yield rig
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def passed(rig: Rig, until: Any, seconds: float) -> None:
    """Moves the clock once the poller sleeps and every answer is stored: a job in memory does not expire."""

    def quiet() -> bool:
        asleep = any(not future.done() for _, _, future in rig.clock._sleepers)
        return asleep and rig.dispatcher._queue._all_settled.is_set() and not rig.dispatcher.state().held

    await until(quiet)
    rig.clock.advance(seconds)


async def opened(rig: Rig, until: Any) -> None:
    await until(lambda: rig.dispatcher.state().breakers_open == 1)
    await until(lambda: rig.dispatcher.state().held == 0)
