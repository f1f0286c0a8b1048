"""Follows a worker's output for `LiveOutputs`, from before the worker's start if possible.

Owns the task and its waits. No failure here fails the job: jobd reads the job's log all the same, and shows each line when it ends.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace

from jobd.jobs.log.live_output import LiveOutput, LiveOutputs
from jobd.jobs.port.errors import EngineError
from jobd.jobs.port.interactive import WorkerOutput
from jobd.jobs.port.model import JobRef, RawLine

ATTACH_LIMIT_S = 2.0
"""The worker's start waits no longer for the connection."""
END_LIMIT_S = 5.0
"""The output of an ended worker ends a moment after the worker."""
IN_LOG_LIMIT_S = 0.2
"""The followed log of an ended worker has the last lines a moment after the output."""
CHECK_DELAY_S = 0.1
"""A connection usually ends with its worker, and then the follower is stopped before it asks the engine."""

log = logging.getLogger(__name__)


class OutputFollower:
    """Follows the worker of one job, one attempt after the other. `notify` is called with the job's uid when there is new output."""

    def __init__(
        self,
        engine: WorkerOutput,
        outputs: LiveOutputs,
        ref: Callable[[], JobRef],
        notify: Callable[[str], None],
    ) -> None:
        self._engine = engine
        self._outputs = outputs
        self._ref = ref
        self._notify = notify
        self._uid = ""
        self._output: LiveOutput | None = None
        self._task: asyncio.Task[None] | None = None

    async def attach(self, seq: int) -> None:
        """Attaches to a worker that is about to start; the job's log has `seq` lines so far. Returns once the follower is attached, or
        after `ATTACH_LIMIT_S`.
        """
        await self.stop()
        await self._attach(seq)

    async def attach_late(self) -> None:
        """Attaches to a running worker, unless the follower is attached: its earlier output is unknown, its last output will be known.
        An output that has ended is not the whole output, because the worker runs.
        """
        if self._output is None:
            await self._attach(None)
        elif self._output.ended.is_set():
            self._output.lose()

    async def stop(self) -> None:
        """Detaches from the worker and drops its output."""
        task, output = self._task, self._output
        self._task = self._output = None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        if output is not None:
            self._outputs.drop(self._uid, output)

    async def is_in_log(self) -> bool:
        """Returns whether the job's log has exactly the output of the worker, which has ended: two ways to read the output agree from the
        worker's start to the connection's end. Waits for at most `IN_LOG_LIMIT_S`.
        """
        return self._output is not None and await self._output.is_in_log(IN_LOG_LIMIT_S)

    async def resolve_newlines(self, lines: Sequence[RawLine]) -> Sequence[RawLine]:
        """Returns the lines, with `newline` set where the log leaves it open: as the output ended, or, if that is unknown, with a newline
        after text and none after other bytes.
        """
        if all(line.newline is not None for line in lines):
            return lines
        return [line if line.newline is not None else await self._resolve(line) for line in lines]

    async def _resolve(self, line: RawLine) -> RawLine:
        follows = None
        if self._output is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(END_LIMIT_S):
                    await self._output.ended.wait()
            follows = self._output.ends_with(line)
        is_text = line.raw is None and "\0" not in line.text
        return replace(line, newline=is_text if follows is None else follows)

    async def _attach(self, seq: int | None) -> None:
        ref = self._ref()
        self._uid = ref.uid
        self._output = LiveOutput(seq, lambda: self._notify(ref.uid))
        self._outputs.put(ref.uid, self._output)
        attached = asyncio.Event()
        self._task = asyncio.create_task(self._follow(ref, self._output, attached), name="follow output")
        try:
            async with asyncio.timeout(ATTACH_LIMIT_S):
                await attached.wait()
        except TimeoutError:
            self._output.lose()  # the output up to the attach is missing

    async def _follow(self, ref: JobRef, output: LiveOutput, attached: asyncio.Event) -> None:
        try:
            async with self._engine.output(ref) as connection:
                attached.set()
                async for stream, data in connection.pieces():
                    if output.ended.is_set():
                        return
                    output.append(stream, data)
                output.end_connection()
                await asyncio.sleep(CHECK_DELAY_S)
                await connection.check_end()
            output.end()
        except EngineError as error:
            output.close()
            fields = {"job_id": ref.id, "action": "follow-output", "error": str(error)}
            log.info("the worker's output is not followed", extra=fields)
        finally:
            attached.set()
