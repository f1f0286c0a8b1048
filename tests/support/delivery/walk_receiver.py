"""The scripted receivers of the dispatcher's random walk."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Protocol

from jobd.events.delivery.policies.response_policy import Answer
from jobd.store.store import Store
from tests.support.fakes.sender import ConnectedSender


@dataclass(eq=False)
class Request:
    """One request that waits for its answer."""

    job: str
    numbers: list[int]
    answer: asyncio.Future[Answer]


class Walk(Protocol):
    """The random walk, for its receivers."""

    at_once: str | None

    def sends(self, request: Request, others: list[Request]) -> None:
        """Checks a request as it is sent, beside the `others` under way."""

    def book(self, request: Request, how: str) -> None:
        """Answers a request."""


class Receiver(ConnectedSender):
    """Holds every request until the walk answers; fails at once on a violated invariant."""

    def __init__(self, walk: Walk) -> None:
        super().__init__()
        self.waiting: list[Request] = []
        self._walk = walk

    async def send(
        self, url: str, key: str | None, event_id: str, body: bytes, *, batch: bool = False
    ) -> Answer:
        found = json.loads(body)
        events = found if batch else [found]
        job = events[0]["job"]
        request = Request(job, [event["n"] for event in events], asyncio.get_running_loop().create_future())
        assert event_id == f"{job}-{request.numbers[0]}"
        self._walk.sends(request, self.waiting)
        self.waiting.append(request)
        try:
            if (how := self._walk.at_once) is not None:
                await asyncio.sleep(0)
                if not request.answer.done():  # the walk may have answered the request meanwhile
                    self._walk.book(request, how)
            return await request.answer
        finally:
            self.waiting.remove(request)


class Busy:
    """The store, with the number of calls under way."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.calls = 0
        self.observed_ms = store.observed_ms

    def __getattr__(self, name: str) -> Callable[..., Coroutine[Any, Any, Any]]:
        method = getattr(self._store, name)

        async def call(*arguments: Any, **options: Any) -> Any:
            self.calls += 1
            try:
                return await method(*arguments, **options)
            finally:
                self.calls -= 1

        return call
