"""A client in memory that is attached to a job: what it sends, and what jobd has sent."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from jobd.jobs.interactive.client import InputBytes, InputEnd, Message
from jobd.wire.terminal import Status

DEADLINE_S = 10.0


class FakeClient:
    """Implements `jobs.interactive.client.Client`. `output` and `statuses` hold what jobd has sent, without signs of life."""

    def __init__(self) -> None:
        self.sends: asyncio.Queue[Message | None] = asyncio.Queue()
        self.output = {"stdout": b"", "stderr": b""}
        self.statuses: list[Status] = []
        self.news = asyncio.Event()

    async def messages(self) -> AsyncIterator[Message]:
        while (message := await self.sends.get()) is not None:
            yield message

    async def send(self, stream: str, data: bytes) -> None:
        self.output[stream] += data
        self.news.set()

    async def status(self, status: Status) -> None:
        if status != Status():
            self.statuses.append(status)
            self.news.set()

    def type(self, data: bytes) -> None:
        self.sends.put_nowait(InputBytes(data))

    def end(self) -> None:
        self.sends.put_nowait(InputEnd())

    def leave(self) -> None:
        self.sends.put_nowait(None)

    async def until(self, condition: Any) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while not condition(self):
                self.news.clear()
                await self.news.wait()

    async def attached(self) -> None:
        await self.until(lambda one: any(status.attached for status in one.statuses))

    @property
    def ended(self) -> Any:
        return self.statuses[-1].end


def attach(system: Any, target: Any, *, stdin: bool = True) -> tuple[FakeClient, asyncio.Task[None]]:
    client = FakeClient()
    return client, asyncio.create_task(system.sessions.attach(target, client, stdin=stdin))


async def left(client: FakeClient, session: asyncio.Task[None]) -> None:
    client.leave()
    async with asyncio.timeout(DEADLINE_S):
        await session


async def over(session: asyncio.Task[None]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        await session
