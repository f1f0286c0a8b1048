"""What scripted senders share: whether a connection to their receivers is open, so that the dispatcher sends without a task."""

import asyncio
from collections.abc import Callable

from jobd.events.delivery.policies.response_policy import Answer


class UnconnectedSender:
    """No connection is ever open: the dispatcher calls `send`."""

    def try_send(
        self, url: str, key: str | None, event_id: str, body: bytes, answered: Callable[[Answer], None]
    ) -> bool:
        return False


class ConnectedSender:
    """From the second request to a URL on, a connection is open. Each request runs `send` in a task of its own, as a network would."""

    def __init__(self) -> None:
        self._connected: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def send(
        self, url: str, key: str | None, event_id: str, body: bytes, *, batch: bool = False
    ) -> Answer:
        raise NotImplementedError

    def try_send(
        self, url: str, key: str | None, event_id: str, body: bytes, answered: Callable[[Answer], None]
    ) -> bool:
        if url not in self._connected:
            self._connected.add(url)
            return False

        async def request() -> None:
            try:
                answer = await self.send(url, key, event_id, body)
            except Exception as error:
                # A failed check of the test: the event is parked, and the test sees that.
                answer = Answer("invalid", text=repr(error))
            answered(answer)

        task = asyncio.ensure_future(request())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return True

    async def hang_up(self) -> None:
        """Ends the requests under way without an answer, as the end of the real sender does."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
