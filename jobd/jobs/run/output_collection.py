"""Collects the outputs that a client fetches: checks them after a worker has succeeded, and keeps those that the spec keeps.

Owns the check of each output and the resulting fact; a user's request to end the job interrupts the checks. `kept_outputs.py`
stores kept outputs and limits their size; `jobs/state/transitions/outcome.py` decides what the job becomes.
"""

import asyncio
import io
import tarfile
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from jobd.jobs.port.errors import EngineError, EngineUnavailable, FilesChanged, FilesNotKept, NoSuchFile
from jobd.jobs.port.protocols import Files
from jobd.jobs.record.parts import OutputState
from jobd.jobs.retention.kept_outputs import NoRoom
from jobd.jobs.run.dependencies import Dependencies
from jobd.jobs.run.folder_names import FolderNames
from jobd.jobs.run.job_state import JobState
from jobd.jobs.state import facts
from jobd.jobs.state.machine import OUTPUTS_TOOK_TOO_LONG
from jobd.jobs.state.next_action import OUTPUTS_LIMIT
from jobd.wire.files.filenames import unescape
from jobd.wire.files.folder_text import folder_text
from jobd.wire.job import JobSpec, Output

LOOKED_AT_BYTES = 64 * 1024
LISTED_BYTES = 16 << 20
"""The most bytes of a folder's tar that are read for the names in the folder: an engine lists no folder."""
LISTING_LIMIT_S = 5.0
MOST_EXPLAINED = 3
"""So many missing outputs of a job have a text that says what their folder holds instead."""
TOO_LARGE = "output-too-large"
FAILED = "output-failed"


class Collection:
    """One job's outputs. `collect` is safe to repeat; EngineUnavailable and StoreError mean that the caller repeats it."""

    def __init__(self, job_state: JobState, engine: Files, deps: Dependencies) -> None:
        self._job_state = job_state
        self._engine = engine
        self._deps = deps
        self._collecting: asyncio.Task[dict[str, OutputState]] | None = None

    def interrupt(self) -> None:
        """Cancels the collection: a user wants the job to end."""
        if self._collecting is not None:
            self._collecting.cancel()

    async def collect(self) -> None:
        """Checks the outputs, and keeps those that the spec keeps."""
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
        states = {output.path: await self._one(spec, n, output) for n, output in enumerate(spec.outputs)}
        missing = [name for name, state in states.items() if state.status == "missing" and not state.error]
        for name in missing[:MOST_EXPLAINED]:
            states[name] = OutputState(status="missing", error=await self._held_instead(spec, name))
        return states

    async def _one(self, spec: JobSpec, number: int, output: Output) -> OutputState:
        tar = self._engine.open_tar(self._job_state.record.workspace_ref, container_path(spec, output.path))
        try:
            async with aclosing(tar):
                begin = await _beginning(tar)
                if not is_file_or_folder(begin):
                    return OutputState(status="missing", error="the output is a link or a special file")
                if not output.keep:
                    return OutputState(status="present")
                size = await self._deps.outputs.keep(self._job_state.record.uid, number, _whole(begin, tar))
                return OutputState(status="kept", bytes=size)
        except FilesNotKept as error:
            return OutputState(status="missing", error=str(error))
        except NoSuchFile:
            return OutputState(status="missing")
        except NoRoom as error:
            return OutputState(status="not-kept", error=str(error))
        except FilesChanged as error:
            # The worker has ended, so its files do not change: the engine broke off.
            raise EngineUnavailable(str(error), answered=True) from error

    async def _held_instead(self, spec: JobSpec, path: str) -> str | None:
        """Returns what the nearest existing folder of a missing output holds; None where that is unknown."""
        parts = path.split("/")
        for depth in range(len(parts) - 1, -1, -1):
            folder = "/".join(parts[:depth])
            try:
                async with asyncio.timeout(LISTING_LIMIT_S):
                    found = await self._listed(container_path(spec, folder or "."))
            except FilesNotKept:
                return None
            except NoSuchFile:
                continue
            except (EngineError, TimeoutError):
                return None  # the missing output fails the job without this text too
            if not found.is_folder:
                return None
            return folder_text(folder, found.names, parts[depth], complete=found.is_complete) or None
        return None

    async def _listed(self, path: str) -> FolderNames:
        found, size = FolderNames(), 0
        tar = self._engine.open_tar(self._job_state.record.workspace_ref, path)
        async with aclosing(tar):
            async for chunk in tar:
                found.feed(chunk)
                size += len(chunk)
                if found.is_over or size >= LISTED_BYTES:
                    break
        return found


def conclusion(states: dict[str, OutputState]) -> facts.OutputsCollected:
    """Returns the fact that follows from the states of all outputs. Pure."""
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
    """Returns whether a tar's first member is a file or a folder; True if the tar's beginning does not show that."""
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
