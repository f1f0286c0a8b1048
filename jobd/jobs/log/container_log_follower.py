"""Follows the log of one container, and reads the log to its end once the container has ended.

Owns the background task of one follower. A follow may lose the last line, so `drain` reads the log once more without following.
The consumer skips lines and reports that it already has, by cursor or by number, so reading again is always safe.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from jobd.clock import Clock
from jobd.jobs.port.errors import ContainerGone, EngineUnavailable, LogUnreadable
from jobd.jobs.port.model import JobRef, LogBatch, LogCursor, Role
from jobd.jobs.port.protocols import Logs
from jobd.store.errors import StoreError

READ_LIMIT_S = 600.0
"""Limits one read of a log, and the time for which an engine that responds may fail to return the log."""
GONE = "the container was removed before jobd read its log to the end; later lines may be missing"
UNREADABLE = "the engine did not return the rest of the log; later lines are missing"

log = logging.getLogger(__name__)

Source = Callable[[], tuple[JobRef, LogCursor]]


class ContainerLogFollower:
    """Passes the lines of one container to `on_lines`. Each read asks `source` for the container and the start cursors."""

    def __init__(
        self,
        engine: Logs,
        clock: Clock,
        role: Role,
        source: Source,
        on_batch: Callable[[LogBatch], Coroutine[Any, Any, None]],
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._role = role
        self._source = source
        self._on_batch = on_batch
        self._task: asyncio.Task[None] | None = None
        self._unreadable_since: float | None = None

    def start(self) -> None:
        """Starts to follow the container, unless the follower already does."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._follow(), name=f"follow {self._role}")

    async def stop(self) -> None:
        """Stops following. A batch that is being stored is stored first."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def drain(self) -> str | None:
        """Reads the ended container's log to its end. Returns why later lines may be missing, or None if none are.

        Raises:
            EngineUnavailable, StoreError: the log was not read to its end; safe to repeat.
        """
        await self.stop()
        try:
            async with asyncio.timeout(READ_LIMIT_S):
                await self._read(follow=False)
        except TimeoutError:
            raise EngineUnavailable(f"the {self._role}'s log could not be read within ten minutes") from None
        except ContainerGone:
            return GONE
        except LogUnreadable as error:
            if self._read_limit_passed():
                fields = {"action": "drain-log", "role": self._role, "error": str(error)}
                log.warning("the engine does not return the rest of the log", extra=fields)
                return UNREADABLE
            raise
        except EngineUnavailable:
            self._unreadable_since = None
            raise
        return None

    def _read_limit_passed(self) -> bool:
        """True once the engine has responded for `READ_LIMIT_S` without a line of the log."""
        now = self._clock.monotonic()
        if self._unreadable_since is None:
            self._unreadable_since = now
        return now - self._unreadable_since >= READ_LIMIT_S

    async def _follow(self) -> None:
        try:
            await self._read(follow=True)
        except (EngineUnavailable, ContainerGone, StoreError) as error:
            # The supervisor starts the follower again after it has next inspected the container.
            fields = {"action": "follow-log", "role": self._role, "error": str(error)}
            log.info("the follower of the log stopped", extra=fields)

    async def _read(self, follow: bool) -> None:
        ref, cursor = self._source()
        async with contextlib.aclosing(self._engine.logs(ref, self._role, cursor, follow)) as batches:
            async for batch in batches:
                self._unreadable_since = None
                await _finish(self._on_batch(batch))


async def _finish(work: Coroutine[Any, Any, None]) -> None:
    """Awaits `work`. A cancelled caller waits for `work` too: a batch that was read is stored before the next read."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise
