"""Following what containers print: the worker's log into the logbook, the sidecar's reports into facts.

Owns the two background tasks of a supervisor. While a container runs they follow it; when it has ended they read once more without
following, from where they are, because a follow may lose the last line. What was read before is recognised, by cursor or by
number, so that reading again is always safe.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec

from jobd.clock import Clock
from jobd.jobs.port.errors import ContainerGone, EngineUnavailable, LogUnreadable
from jobd.jobs.port.model import LOG_START, JobRef, LogBatch, LogCursor, RawLine, Role
from jobd.jobs.port.protocols import Logs
from jobd.store.errors import StoreError
from jobd.wire.report import Heading, Report, decode_report, heading_of

MAX_REPORT_BYTES = 8 << 20
QUOTED_CHARACTERS = 200
READ_LIMIT_S = 600.0
"""For one reading of a log, and for an engine that answers and cannot give it."""
GONE = "the container was removed before its log was read to the end; later lines may be missing"
UNREADABLE = "the engine could not give the rest of the log; later lines are missing"

log = logging.getLogger(__name__)


class ContainerLogFollower:
    """Feeds the lines of one container to `take`. `where` says which container and from where, at each start."""

    def __init__(
        self,
        engine: Logs,
        clock: Clock,
        role: Role,
        where: Callable[[], tuple[JobRef, LogCursor]],
        take: Callable[[LogBatch], Coroutine[Any, Any, None]],
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._role = role
        self._where = where
        self._take = take
        self._task: asyncio.Task[None] | None = None
        self._unreadable_since: float | None = None

    def start(self) -> None:
        """Follows the container, if that is not being done already."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._follow(), name=f"follow {self._role}")

    async def stop(self) -> None:
        """Ends the following, after the batch that is being stored."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def drain(self) -> str | None:
        """Reads the ended container's log to its end. Returns why lines after the last one may be missing; None: none are.

        Raises:
            EngineUnavailable, StoreError: it was not read to its end; safe to repeat.
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
            if self._is_hopeless():
                fields = {"action": "drain", "role": self._role, "error": str(error)}
                log.warning("the log cannot be read to its end", extra=fields)
                return UNREADABLE
            raise
        except EngineUnavailable:
            self._unreadable_since = None
            raise
        return None

    def _is_hopeless(self) -> bool:
        """True once an engine that answers could not give the log, and no line of it, for so long."""
        now = self._clock.monotonic()
        if self._unreadable_since is None:
            self._unreadable_since = now
        return now - self._unreadable_since >= READ_LIMIT_S

    async def _follow(self) -> None:
        try:
            await self._read(follow=True)
        except (EngineUnavailable, ContainerGone, StoreError) as error:
            # The supervisor starts it again after its next look, from the cursor.
            log.info("following stopped", extra={"action": "follow", "role": self._role, "error": str(error)})

    async def _read(self, follow: bool) -> None:
        ref, cursor = self._where()
        async with contextlib.aclosing(self._engine.logs(ref, self._role, cursor, follow)) as batches:
            async for batch in batches:
                self._unreadable_since = None
                await _to_its_end(self._take(batch))


async def _to_its_end(work: Coroutine[Any, Any, None]) -> None:
    """Awaits `work`; a cancellation waits for it too: a batch that was read is stored before anyone reads on."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise


class ReportLines:
    """Puts the sidecar's lines together and decodes them.

    A line that cannot be read is handed to `unread`, with what to tell of it. One without a `{` was no report, damaged or not: something
    else printed it, and it is logged and passed over. A line holds at most `MAX_REPORT_BYTES`; the rest of a longer one is left out.
    """

    def __init__(
        self,
        handle: Callable[[Report], Coroutine[Any, Any, None]],
        unread: Callable[[str, Heading], Coroutine[Any, Any, None]],
        job_id: Callable[[], str],
    ) -> None:
        self._handle = handle
        self._unread = unread
        self._job_id = job_id
        self.restart()

    def restart(self) -> None:
        """Reading begins anew, at a line's start."""
        self._partial: list[str] = []
        self._size_bytes = 0
        self._skipping = False

    async def take(self, batch: LogBatch) -> None:
        """Handles the reports in the batch, in order."""
        for line in batch.lines:
            if line.stream != "stdout":
                continue
            text = self._whole(line)
            if text is None:
                continue
            try:
                said = decode_report(text.encode())
            except msgspec.DecodeError as error:
                shown = text[:QUOTED_CHARACTERS]
                fields = {
                    "job_id": self._job_id(),
                    "action": "read-report",
                    "error": str(error),
                    "line": shown,
                }
                log.warning("not a report", extra=fields)
                if "{" in text:
                    why = f"the sidecar printed a report that cannot be read ({error}): {shown!r}"
                    await self._unread(why, heading_of(text))
                continue
            await self._handle(said)

    def _whole(self, line: RawLine) -> str | None:
        """Returns the line that ends here, or as much of it as a report may have; None while it goes on."""
        was_skipping, self._skipping = self._skipping, self._skipping and line.partial
        if was_skipping:
            return None
        if line.text:
            self._partial.append(line.text)
        self._size_bytes += len(line.text.encode())
        if line.partial and self._size_bytes < MAX_REPORT_BYTES:
            return None
        text = "".join(self._partial)
        self._partial, self._size_bytes, self._skipping = [], 0, line.partial
        return text


def log_reader(
    engine: Logs,
    clock: Clock,
    ref: Callable[[], JobRef],
    cursor: Callable[[], LogCursor],
    take: Callable[[LogBatch], Coroutine[Any, Any, None]],
) -> ContainerLogFollower:
    """Returns the reader of a worker's log; it goes on from the record's cursor."""
    return ContainerLogFollower(engine, clock, "worker", lambda: (ref(), cursor()), take)


def report_reader(
    engine: Logs, clock: Clock, ref: Callable[[], JobRef], lines: ReportLines
) -> ContainerLogFollower:
    """Returns the reader of a sidecar's reports; it begins at the start each time, known numbers are passed over."""

    def where() -> tuple[JobRef, LogCursor]:
        lines.restart()
        return ref(), LOG_START

    return ContainerLogFollower(engine, clock, "sidecar", where, lines.take)
