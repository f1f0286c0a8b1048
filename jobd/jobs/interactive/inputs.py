"""The open standard inputs of workers without a terminal.

Such a worker reads the end of its input when the connection ends. So jobd keeps the connection while the worker runs: a client that
leaves without the end of the input ends nothing, and a later client may send the rest.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager

from jobd.errors import Conflict
from jobd.jobs.port.interactive import ProcessInput, WorkerInput
from jobd.jobs.port.model import JobRef


class _Open:
    """One input. `stream` is None until the engine has opened it."""

    def __init__(self) -> None:
        self.stack = AsyncExitStack()
        self.stream: ProcessInput | None = None
        self.taken = False


class Inputs:
    """The inputs by the uid of their job. Belongs to the event loop."""

    def __init__(self, engine: WorkerInput) -> None:
        self._engine = engine
        self._open: dict[str, _Open] = {}

    def holds(self, uid: str) -> bool:
        """Returns whether this process of jobd has opened the job's input, or is about to."""
        return uid in self._open

    @asynccontextmanager
    async def lease(
        self, ref: JobRef, opening: Callable[[], Awaitable[object]]
    ) -> AsyncIterator[ProcessInput]:
        """Gives the job's input to one client. `opening` is awaited before the first call of the engine.

        Raises: Conflict: another client has the input. ContainerGone, EngineUnavailable, RefusedByEngine.
        """
        held = self._open.setdefault(ref.uid, _Open())
        if held.taken:
            raise Conflict(f"another client feeds the input of job {ref.id!r}", code="input-taken")
        held.taken = True
        try:
            if held.stream is None:
                await opening()
                held.stream = await held.stack.enter_async_context(self._engine.input(ref))
            yield held.stream
        finally:
            held.taken = False

    async def close(self, uid: str) -> None:
        """Closes the job's input, if it is open: the worker has ended, or jobd stops."""
        held = self._open.pop(uid, None)
        if held is not None:
            # A caller that is cancelled leaves no connection open.
            await asyncio.shield(asyncio.ensure_future(held.stack.aclose()))
