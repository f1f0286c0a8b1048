"""The asynchronous client. `jobctl/client.py` has the public names."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Unpack

from jobctl.sdk.async_job import AsyncJob
from jobctl.sdk.bridge import Bridge
from jobctl.sdk.client import RECONNECT_FOR_S, Client, timed_out
from jobctl.sdk.errors import explained, failure
from jobctl.sdk.job import Job
from jobctl.sdk.models import Event
from jobctl.sdk.submission import Outputs, Path
from jobctl.selection.listing import PAGE

if TYPE_CHECKING:
    from jobctl.sdk.fields import JobFields
    from jobd.wire.views.daemon import Version
    from jobd.wire.views.job import JobView


class AsyncClient:
    """A client of the daemon for coroutines, with the arguments and methods of `Client`. Coroutines of one event loop share it."""

    def __init__(
        self, host: str | None = None, *, api_key: str | None = None, reconnect_for: float = RECONNECT_FOR_S
    ) -> None:
        self._client = Client(host, api_key=api_key, reconnect_for=reconnect_for)
        self._bridge = Bridge()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Ends the client: waits that are still there fail. Jobs go on."""
        self._client.close()
        self._bridge.close()

    async def submit(
        self,
        image: str | None = None,
        command: str | Sequence[str] | None = None,
        *,
        inputs: Mapping[str, Path] | None = None,
        outputs: Outputs | None = None,
        writes: Mapping[str, str] | None = None,
        reads: Sequence[str] | None = None,
        file: Path | None = None,
        exist_ok: bool = False,
        **fields: Unpack[JobFields],
    ) -> AsyncJob:
        """Submits a job, and returns it without waiting for its end. Arguments and errors are those of `Client.submit`."""

        def submit() -> Job:
            return self._client.submit(
                image,
                command,
                inputs=inputs,
                outputs=outputs,
                writes=writes,
                reads=reads,
                file=file,
                exist_ok=exist_ok,
                **fields,
            )

        return self._job(await self._bridge.run(submit))

    async def job(self, job_id: str) -> AsyncJob:
        """Returns the job with this whole id. Raises NotFound: there is none."""
        return self._job(await self._bridge.run(lambda: self._client.job(job_id)))

    async def jobs(
        self,
        *,
        status: str | Sequence[str] | None = None,
        labels: Mapping[str, str] | None = None,
        set: str | None = None,
        prefix: str | None = None,
        owner: str | None = None,
        since: datetime | None = None,
    ) -> AsyncIterator[AsyncJob]:
        """Yields the jobs that have all of these, newest first, as `Client.jobs` does."""
        found = self._client.jobs(
            status=status, labels=labels, set=set, prefix=prefix, owner=owner, since=since
        )
        while page := await self._bridge.run(lambda: list(itertools.islice(found, PAGE))):
            for job in page:
                yield self._job(job)

    async def wait_all(
        self, jobs: Iterable[AsyncJob], timeout: float | None = None, *, check: bool = True
    ) -> list[AsyncJob]:
        """Waits until all jobs have ended, and returns them in their order. Raises as `Client.wait_all` does."""
        awaited = list(jobs)
        async for _ in self.as_completed(awaited, timeout):
            pass
        with explained():
            for job in awaited if check else ():
                if job.status != "completed":
                    raise failure(job.view)
        return awaited

    async def as_completed(
        self, jobs: Iterable[AsyncJob], timeout: float | None = None
    ) -> AsyncIterator[AsyncJob]:
        """Yields each job after its end, in the order of the ends. Raises as `Client.as_completed` does."""
        until = None if timeout is None else time.monotonic() + timeout
        ends: dict[asyncio.Future[JobView], AsyncJob] = {
            asyncio.wrap_future(job._job._end()): job for job in dict.fromkeys(jobs)
        }
        try:
            while ends:
                left = None if until is None else max(0.0, until - time.monotonic())
                done, _ = await asyncio.wait(ends, timeout=left, return_when=asyncio.FIRST_COMPLETED)
                if not done:
                    with explained():
                        raise timed_out([job.id for job in ends.values()], timeout)
                for end in done:
                    job = ends.pop(end)
                    with explained():
                        job._job.view = end.result()
                    await job._finish(False)
                    yield job
        finally:
            for end in ends:
                end.cancel()

    def events(
        self, *, follow: bool = False, after: int | None = None, timeout: float | None = None
    ) -> AsyncIterator[Event]:
        """Returns an iterator over the events of all jobs, as `Client.events` does."""
        return self._bridge.items(lambda: self._client.events(follow=follow, after=after, timeout=timeout))

    async def version(self) -> Version:
        """Returns the daemon's version, engine and settings."""
        return await self._bridge.run(self._client.version)

    def _job(self, job: Job) -> AsyncJob:
        return AsyncJob(job, self._bridge)
