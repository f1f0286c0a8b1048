"""Following a worker's output for `LiveOutputs`: from before its start where that is possible.

Owns the task and its waits. No failure here is one of the job: its log is read all the same, and shows each line when it ends.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace

from jobd.jobs.log.live_output import LiveOutput, LiveOutputs
from jobd.jobs.port.errors import EngineError
from jobd.jobs.port.model import JobRef, RawLine
from jobd.jobs.port.protocols import WorkerOutput

ATTACH_LIMIT_S = 2.0
"""The worker's start waits no longer for this."""
END_LIMIT_S = 5.0
"""The output of a worker that has ended is over a moment later."""

log = logging.getLogger(__name__)


class OutputFollower:
    """Follows the worker of one job, one attempt after the other. `tell` is called when there is something new to show."""

    def __init__(
        self,
        engine: WorkerOutput,
        outputs: LiveOutputs,
        ref: Callable[[], JobRef],
        tell: Callable[[str], None],
    ) -> None:
        self._engine = engine
        self._outputs = outputs
        self._ref = ref
        self._tell = tell
        self._uid = ""
        self._output: LiveOutput | None = None
        self._task: asyncio.Task[None] | None = None

    async def begin(self, seq: int) -> None:
        """Follows a worker that is about to be started; the job's log has `seq` lines so far. Returns once nothing is missed, or
        that is given up.
        """
        await self.stop()
        await self._begin(seq)

    async def join(self) -> None:
        """Follows a worker that runs, if that is not being done: what it has printed is not known, what it prints last will be."""
        if self._output is None:
            await self._begin(None)

    async def stop(self) -> None:
        """Forgets the output."""
        task, output = self._task, self._output
        self._task = self._output = None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        if output is not None:
            self._outputs.drop(self._uid, output)

    async def with_ends(self, lines: Sequence[RawLine]) -> Sequence[RawLine]:
        """Returns the lines with `newline` told where the log does not tell it: as the output ended, or, where that is not known,
        as most do: text with a newline, other bytes without.
        """
        if all(line.newline is not None for line in lines):
            return lines
        return [line if line.newline is not None else await self._with_end(line) for line in lines]

    async def _with_end(self, line: RawLine) -> RawLine:
        found = None
        if self._output is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(END_LIMIT_S):
                    await self._output.ended.wait()
            found = self._output.ends_with(line)
        is_text = line.raw is None and "\0" not in line.text
        return replace(line, newline=is_text if found is None else found)

    async def _begin(self, seq: int | None) -> None:
        ref = self._ref()
        self._uid = ref.uid
        self._output = LiveOutput(seq, lambda: self._tell(ref.uid))
        self._outputs.put(ref.uid, self._output)
        attached = asyncio.Event()
        self._task = asyncio.create_task(self._follow(ref, self._output, attached), name="follow output")
        try:
            async with asyncio.timeout(ATTACH_LIMIT_S):
                await attached.wait()
        except TimeoutError:
            self._output.lose()  # what is printed until it is attached is missing

    async def _follow(self, ref: JobRef, output: LiveOutput, attached: asyncio.Event) -> None:
        try:
            async with self._engine.output(ref) as pieces:
                attached.set()
                async for stream, data in pieces:
                    if output.ended.is_set():
                        return
                    output.take(stream, data)
            output.end()
        except EngineError as error:
            output.close()
            fields = {"job_id": ref.id, "action": "follow-output", "error": str(error)}
            log.info("the worker's output is not followed", extra=fields)
        finally:
            attached.set()
