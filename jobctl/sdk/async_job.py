"""A job of the asynchronous client."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

from jobctl.sdk import files
from jobctl.sdk.bridge import Bridge
from jobctl.sdk.errors import explained
from jobctl.sdk.job import Job
from jobctl.sdk.models import Event, JobStatus, LogLine, StreamName

if TYPE_CHECKING:
    from jobd.wire.views.job import JobView


class AsyncJob:
    """A job of the daemon, as `Job` is, with coroutines in the place of methods that wait."""

    def __init__(self, job: Job, bridge: Bridge) -> None:
        self._job = job
        self._bridge = bridge

    @property
    def view(self) -> JobView:
        """The state as last seen; `refresh` and `wait` renew it."""
        return self._job.view

    @property
    def id(self) -> str:
        """The id, as `jobctl` shows it."""
        return self._job.id

    @property
    def status(self) -> JobStatus:
        """One of accepted, running, completed, failed, cancelled, as last seen."""
        return self._job.status

    @property
    def has_ended(self) -> bool:
        """Whether the job was seen to have ended."""
        return self._job.has_ended

    @property
    def exit_code(self) -> int | None:
        """The exit code of the command; None while unknown."""
        return self._job.exit_code

    @property
    def reason(self) -> str | None:
        """Why the job did not complete, such as `exit-code`, `timeout` or `oom-killed`."""
        return self._job.reason

    def __repr__(self) -> str:
        return f"<AsyncJob {self.id} {self.status}>"

    async def refresh(self) -> JobView:
        """Asks for the present state, and returns it. Raises as `Job.refresh` does."""
        return await self._bridge.run(self._job.refresh)

    async def wait(self, timeout: float | None = None, *, check: bool = True) -> AsyncJob:
        """Waits until the job has ended, copies its outputs to their local places, and returns the job. Raises as `Job.wait` does."""
        end = asyncio.wrap_future(self._job._end())
        try:
            with explained():
                done, _ = await asyncio.wait([end], timeout=timeout)
                if not done:
                    raise self._job._timed_out(timeout)
                self._job.view = end.result()
        finally:
            end.cancel()
        await self._finish(check)
        return self

    async def _finish(self, check: bool) -> None:
        if self._job._is_finished(check):
            return
        await self._bridge.run(lambda: self._finish_here(check))

    def _finish_here(self, check: bool) -> None:
        with explained():
            self._job._finish(check)

    def logs(
        self,
        *,
        follow: bool = False,
        tail: int | None = None,
        stream: StreamName | None = None,
        timeout: float | None = None,
    ) -> AsyncIterator[LogLine]:
        """Returns an iterator over the lines of the log, as `Job.logs` does."""
        return self._bridge.items(
            lambda: self._job.logs(follow=follow, tail=tail, stream=stream, timeout=timeout)
        )

    async def output(
        self,
        stream: StreamName | None = "stdout",
        *,
        max_bytes: int = files.MOST_BYTES,
        timeout: float | None = None,
    ) -> bytes:
        """Returns the output so far, as `Job.output` does."""
        return await self._bridge.run(lambda: self._job.output(stream, max_bytes=max_bytes, timeout=timeout))

    def events(
        self, *, follow: bool = False, after: int | None = None, timeout: float | None = None
    ) -> AsyncIterator[Event]:
        """Returns an iterator over the job's events, as `Job.events` does."""
        return self._bridge.items(lambda: self._job.events(follow=follow, after=after, timeout=timeout))

    async def cancel(
        self, reason: str | None = None, *, signal: str | None = None, grace: int | None = None
    ) -> None:
        """Asks the daemon to end the job, as `Job.cancel` does."""
        await self._bridge.run(lambda: self._job.cancel(reason, signal=signal, grace=grace))

    async def download(self, path: str, destination: str | os.PathLike[str] = ".") -> Path:
        """Copies a file or folder of the workspace, as `Job.download` does."""
        return await self._bridge.run(lambda: self._job.download(path, destination))

    async def read(self, path: str, *, max_bytes: int = files.MOST_BYTES) -> bytes:
        """Returns the content of a file of the workspace, as `Job.read` does."""
        return await self._bridge.run(lambda: self._job.read(path, max_bytes=max_bytes))

    async def delete(self) -> None:
        """Removes the job with its containers, files and record."""
        await self._bridge.run(self._job.delete)
