"""The outputs that a job's client fetches: looked for at the end of a worker that succeeded, and kept where that is asked for.

Owns the look at each output and the fact that comes of it; a user's request to end the job interrupts it. Where kept outputs are, and how much room
they have, is in `kept_outputs.py`; what the job becomes of it in `outcome.py`.
"""

import asyncio
import io
import tarfile
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from jobd.jobs.port.errors import EngineUnavailable, FilesChanged, NoSuchFile
from jobd.jobs.retention.kept_outputs import NoRoom
from jobd.jobs.run.dependencies import Dependencies
from jobd.jobs.run.job_state import JobState
from jobd.jobs.state import facts
from jobd.jobs.state.machine import OUTPUTS_TOOK_TOO_LONG
from jobd.jobs.state.next_action import OUTPUTS_LIMIT
from jobd.jobs.state.parts import OutputState
from jobd.wire.filenames import unescape
from jobd.wire.job import JobSpec, Output

LOOKED_AT_BYTES = 64 * 1024
TOO_LARGE = "output-too-large"
FAILED = "output-failed"


class Collection:
    """One job's outputs. `collect` is safe to repeat and raises EngineUnavailable or StoreError where it is to be repeated."""

    def __init__(self, job_state: JobState, deps: Dependencies) -> None:
        self._job_state = job_state
        self._deps = deps
        self._collecting: asyncio.Task[dict[str, OutputState]] | None = None

    def interrupt(self) -> None:
        """Ends the look at the outputs: a user wants the job to end."""
        if self._collecting is not None:
            self._collecting.cancel()

    async def collect(self) -> None:
        """Looks for the outputs, and keeps those that are to be kept."""
        task = asyncio.create_task(self._all(self._job_state.spec), name="collect outputs")
        self._collecting = task
        try:
            await asyncio.wait({task}, timeout=OUTPUTS_LIMIT.total_seconds())
            if not task.done():
                await self._job_state.apply(facts.OutputsCollected({}, FAILED, OUTPUTS_TOOK_TOO_LONG))
            elif not task.cancelled():
                await self._job_state.apply(conclusion(task.result()))
        finally:
            self._collecting = None
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _all(self, spec: JobSpec) -> dict[str, OutputState]:
        return {output.path: await self._one(spec, n, output) for n, output in enumerate(spec.outputs)}

    async def _one(self, spec: JobSpec, number: int, output: Output) -> OutputState:
        tar = self._deps.engine.open_tar(self._job_state.ref, container_path(spec, output.path))
        try:
            async with aclosing(tar):
                begin = await _beginning(tar)
                if not is_file_or_folder(begin):
                    return OutputState(status="missing", error="it is a link or a special file")
                if not output.keep:
                    return OutputState(status="present")
                size = await self._deps.outputs.keep(self._job_state.record.uid, number, _whole(begin, tar))
                return OutputState(status="kept", bytes=size)
        except NoSuchFile:
            return OutputState(status="missing")
        except NoRoom as error:
            return OutputState(status="not-kept", error=str(error))
        except FilesChanged as error:
            # The worker is over, so the files do not change: the engine broke off.
            raise EngineUnavailable(str(error), answered=True) from error


def conclusion(states: dict[str, OutputState]) -> facts.OutputsCollected:
    """Returns the fact that the looks at all outputs come to. Pure."""
    missing = [name for name, state in states.items() if state.status == "missing"]
    if missing:
        names = ", ".join(_named(name, states[name]) for name in missing)
        return facts.OutputsCollected(states, FAILED, f"the command succeeded but the job has no {names}")
    left = next(((name, state) for name, state in states.items() if state.status == "not-kept"), None)
    if left is not None:
        return facts.OutputsCollected(states, TOO_LARGE, f"{left[0]!r} is not kept: {left[1].error}")
    return facts.OutputsCollected(states)


def container_path(spec: JobSpec, path: str) -> str:
    """Returns the path in the worker of `path`, relative to the workspace and escaped as in a spec. Raises: UnicodeDecodeError."""
    name = unescape(path).decode()
    return spec.workspace if name == "." else f"{spec.workspace}/{name}"


def is_file_or_folder(begin: bytes) -> bool:
    """Tells by the beginning of a tar whether its first member is a file or a folder; True where that cannot be told."""
    if not begin:
        return False
    try:
        with tarfile.open(fileobj=io.BytesIO(begin), mode="r|") as archive:
            member = archive.next()
    except (tarfile.TarError, ValueError, EOFError, RecursionError):
        return True
    return member is not None and (member.isreg() or member.isdir())


def _named(name: str, state: OutputState) -> str:
    return f"{name!r}" + (f" ({state.error})" if state.error else "")


async def _beginning(tar: AsyncGenerator[bytes, None]) -> bytes:
    parts, size = [], 0
    async for chunk in tar:
        parts.append(chunk)
        size += len(chunk)
        if size >= LOOKED_AT_BYTES:
            break
    return b"".join(parts)


async def _whole(begin: bytes, rest: AsyncGenerator[bytes, None]) -> AsyncIterator[bytes]:
    yield begin
    async for chunk in rest:
        yield chunk
