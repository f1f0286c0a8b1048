"""A dispatcher on a real outbox with a scripted sender, a recording observer and a fake clock."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from jobd.events.delivery.dispatcher import Dispatcher
from jobd.events.delivery.policies.breaker import State
from jobd.events.delivery.policies.response_policy import Answer
from jobd.events.delivery.settings import DispatcherSettings
from tests.support.fakes.clock import FakeClock
from tests.support.fakes.sender import ConnectedSender

OK = Answer("answer", 204)
DOWN = Answer("network", text="cannot connect")
SETTINGS = DispatcherSettings(record_after_s=0)  # only tests move the clock
A, B = "http://a.test/hook", "http://b.test/hook"


class ScriptedSender(ConnectedSender):
    """Answers as a test defines; records sent events, and asserts that no job has two requests at once."""

    def __init__(self) -> None:
        super().__init__()
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
    """An observer that records its calls."""

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
