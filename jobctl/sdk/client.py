"""The synchronous client. `jobctl/client.py` has the public names."""

from __future__ import annotations

import concurrent.futures
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Unpack

import msgspec

from jobctl.errors import JobctlError
from jobctl.sdk import streams
from jobctl.sdk.core import Core
from jobctl.sdk.errors import WaitTimedOut, explained, failure
from jobctl.sdk.job import Job
from jobctl.sdk.models import Event
from jobctl.sdk.queries import list_query
from jobctl.sdk.streams import Stream
from jobctl.sdk.submission import Files, Outputs, Path, planned, send
from jobctl.sdk.watcher import Watcher
from jobctl.selection.listing import PAGE
from jobd.wire.views.daemon import Version
from jobd.wire.views.job import JobList, JobView

if TYPE_CHECKING:
    from jobctl.sdk.fields import JobFields
    from jobctl.sdk.watcher import Ended

RECONNECT_FOR_S = 60.0


class Client:
    """A client of the daemon. Threads may share it; each process needs one of its own. Opens no connection before the first request.

    `host`: `unix:///path`, `http://host:port` or `https://host`; None for the daemon that `jobctl` uses (JOBCTL_HOST, the context, the
    user's socket, the system's socket). `api_key`: the key of a daemon over TCP, in place of JOBCTL_API_KEY_FILE. `reconnect_for`: how
    many seconds a daemon that has answered may be away, restarted or killed, before a call fails.

    Raises:
        Misuse, LocalFile, NotAllowed: the address or the key cannot be used.
    """

    def __init__(
        self, host: str | None = None, *, api_key: str | None = None, reconnect_for: float = RECONNECT_FOR_S
    ) -> None:
        with explained():
            self._core = Core(host, api_key, reconnect_for)
        self._watcher = Watcher(self._core)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Client of {self._core.http.target or 'a daemon that has not answered yet'}>"

    def close(self) -> None:
        """Ends the client: waits of other threads fail. Jobs go on."""
        self._core.close()

    def submit(
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
    ) -> Job:
        """Submits a job, and returns it without waiting for its end.

        `command`: a list has the arguments of the image's entrypoint, a text is a shell line. `inputs`: path in the workspace -> local file or
        folder, URL or `job:ID/PATH`. `outputs`: path in the workspace -> local path or URL; `wait` copies them to the local paths. A list of
        paths keeps them for `download`. `writes`: path -> text. `reads`: files whose content becomes an event. `file`: a job file, whose
        fields the arguments override. `exist_ok`: a job with this id and the same fields is no error but the result. `fields`: the fields of a
        job file with `_` for a capital or a dash, such as `memory="2g"`, `timeout="1h"`, `env={"A": "1"}`, `after=[job]`.

        A lost answer is asked for again under the same id: the job runs once.

        Raises:
            InvalidJob: a field is wrong. Conflict: the id is in use. LocalFile: a local file cannot be read. Unreachable: no daemon answers.
            NotAllowed: the key is wrong. Refused: the daemon accepts no job now.
        """
        with explained():
            given = {"image": image, "command": command, **fields}
            made = planned(given, Files(inputs or {}, outputs or (), writes or {}, reads or ()), file, _id_of)
            answer = send(self._core, made, exist_ok=exist_ok)
            return self._job(msgspec.convert(answer, JobView), made.fetches)

    def job(self, job_id: str) -> Job:
        """Returns the job with this whole id. Raises NotFound: there is none."""
        with explained():
            return self._job(self._core.view(job_id))

    def jobs(
        self,
        *,
        status: str | Sequence[str] | None = None,
        labels: Mapping[str, str] | None = None,
        set: str | None = None,
        prefix: str | None = None,
        owner: str | None = None,
        since: datetime | None = None,
    ) -> Iterator[Job]:
        """Yields the jobs that have all of these, newest first. `status`: one or several of accepted, running, completed, failed, cancelled;
        `owner`: a user's name, `me` for the caller.
        """
        query = list_query(status, labels, set, prefix, owner, since)
        cursor: str | None = None
        while True:
            with explained():
                answer = self._core.call("GET", "/v1/jobs", {**query, "limit": PAGE, "cursor": cursor})
                page = msgspec.json.decode(answer, type=JobList)
            for view in page.jobs:
                yield self._job(view)
            if (cursor := page.next) is None:
                return

    def wait_all(self, jobs: Iterable[Job], timeout: float | None = None, *, check: bool = True) -> list[Job]:
        """Waits until all jobs have ended, copies the outputs of those that completed, and returns the jobs in their order.

        Raises:
            JobFailed, JobCancelled: with `check`, the first of `jobs` that did not complete; raised after the end of all.
            WaitTimedOut: the time has passed. Further ones as `Job.wait`.
        """
        awaited = list(jobs)
        for _ in self.as_completed(awaited, timeout):
            pass
        with explained():
            for job in awaited if check else ():
                if job.status != "completed":
                    raise failure(job.view)
        return awaited

    def as_completed(self, jobs: Iterable[Job], timeout: float | None = None) -> Iterator[Job]:
        """Yields each job after its end, in the order of the ends, once the outputs of the job are copied. A job that did not complete is
        yielded too.

        Raises:
            WaitTimedOut: the time has passed before all jobs have ended. Further ones as `Job.wait`.
        """
        until = None if timeout is None else time.monotonic() + timeout
        ends: dict[Ended, Job] = {job._end(): job for job in dict.fromkeys(jobs)}
        try:
            while ends:
                left = None if until is None else max(0.0, until - time.monotonic())
                done, _ = concurrent.futures.wait(ends, left, concurrent.futures.FIRST_COMPLETED)
                if not done:
                    raise timed_out([job.id for job in ends.values()], timeout)
                for end in done:
                    job = ends.pop(end)
                    with explained():
                        job.view = end.result()
                        job._finish(False)
                    yield job
        finally:
            for end in ends:
                end.cancel()

    def events(
        self, *, follow: bool = False, after: int | None = None, timeout: float | None = None
    ) -> Stream[Event]:
        """Returns an iterator over the events of all jobs, oldest first; with `follow`, also over new ones, without an end. `after`: only events
        after this number. `timeout`: raises WaitTimedOut after so many seconds.
        """
        with explained():
            return streams.events(self._core, None, follow, after, timeout)

    def version(self) -> Version:
        """Returns the daemon's version, engine and settings."""
        with explained():
            return msgspec.json.decode(self._core.call("GET", "/v1/version"), type=Version)

    def _job(self, view: JobView, fetches: Any = ()) -> Job:
        return Job(self._core, self._watcher, view, fetches)


def timed_out(ids: Sequence[str], timeout: float | None) -> JobctlError:
    """Returns the error of a wait for several jobs, `ids`, that have not ended."""
    names = ", ".join(ids[:3]) + (f" and {len(ids) - 3} more" if len(ids) > 3 else "")
    return WaitTimedOut(
        f"{names} did not end within {timeout or 0:g} s", hint="the jobs go on: wait again, or cancel() each"
    )


def _id_of(value: object) -> str | None:
    """Returns the id of a job, also of another client's."""
    job = getattr(value, "_job", value)
    return job.id if isinstance(job, Job) else None
