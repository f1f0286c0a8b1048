"""What a client sends goes to a process, what the process prints goes to the client; both at the pace of the slower side.

Owns the tasks of one client and their end: the client leaves, or the process and what follows it are over.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any

from jobd.errors import InvalidRequest
from jobd.jobs.interactive.client import Client, InputBytes, InputEnd, Resized
from jobd.jobs.port.errors import ContainerGone
from jobd.jobs.port.interactive import ProcessInput
from jobd.jobs.port.model import StreamName, WindowSize
from jobd.wire.terminal import Status

KEEP_ALIVE_S = 15.0
"""A client without output gets a sign of life this often."""
QUIET_S = 5.0
"""The output of an ended process ends a moment after the process."""

Pieces = AsyncIterator[tuple[StreamName, bytes]]


class Wiring:
    """One client and its process. `stream` is set once the process's input is open: None if the client may not feed it. `size` is the
    last size of the client's terminal; `resized` is set at each change.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self.stream: asyncio.Future[ProcessInput | None] = asyncio.get_running_loop().create_future()
        self.size: WindowSize | None = None
        self.resized = asyncio.Event()

    async def run(self, work: Coroutine[Any, Any, None], ending: Callable[[], Awaitable[object]]) -> None:
        """Runs `work` until its end, or until the client leaves. `ending` is awaited before an end of the input is passed on.

        Raises: what `work` raises; InvalidRequest: the client breaks the protocol.
        """
        worked = asyncio.create_task(work, name="attached process")
        received = asyncio.create_task(self._receive(ending), name="attached client")
        alive = asyncio.create_task(self._keep_alive(), name="attached client's signs of life")
        tasks = {worked, received, alive}
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def take_size(self, size: WindowSize | None) -> None:
        """Notes the size of the client's terminal; None: it has none."""
        if size is not None:
            self.size = size
            self.resized.set()

    async def print(self, pieces: Pieces, is_over: Callable[[], Awaitable[bool]]) -> None:
        """Sends the output until its end. `is_over` returns whether the process has ended: its output then has `QUIET_S` to end."""
        source = aiter(pieces)
        while (piece := await self._next(source, is_over)) is not None:
            await self._client.send(*piece)

    async def _next(
        self, source: Pieces, is_over: Callable[[], Awaitable[bool]]
    ) -> tuple[StreamName, bytes] | None:
        reading = asyncio.ensure_future(_first(source))
        try:
            while not (await asyncio.wait({reading}, timeout=QUIET_S))[0]:
                if await is_over():
                    return None
            return reading.result()
        finally:
            if not reading.done():
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)

    async def _receive(self, ending: Callable[[], Awaitable[object]]) -> None:
        reads = True
        async for message in self._client.messages():
            match message:
                case Resized(size):
                    self.take_size(size)
                case InputBytes() | InputEnd():
                    stream = await self.stream
                    if stream is None:
                        raise InvalidRequest("this client feeds no standard input", code="no-input")
                    if reads:
                        reads = await self._feed(stream, message, ending)

    async def _feed(
        self, stream: ProcessInput, message: InputBytes | InputEnd, ending: Callable[[], Awaitable[object]]
    ) -> bool:
        """Returns False once the process reads no more input: the rest is dropped, as a closed pipe drops it."""
        try:
            if isinstance(message, InputBytes):
                await stream.write(message.data)
                return True
            await ending()
            await stream.end()
        except ContainerGone:
            pass
        return False

    async def _keep_alive(self) -> None:
        while True:
            await asyncio.sleep(KEEP_ALIVE_S)
            await self._client.status(Status())


async def _first(source: Pieces) -> tuple[StreamName, bytes] | None:
    return await anext(source, None)
