"""A job of the synchronous client."""

from __future__ import annotations

import concurrent.futures
import os
from pathlib import Path
from typing import TYPE_CHECKING, cast

from jobctl.connection.client import job_path
from jobctl.errors import NotFound
from jobctl.job.requests.cancellation import request_cancel
from jobctl.sdk import files, streams
from jobctl.sdk.errors import WaitTimedOut, explained, failure
from jobctl.sdk.models import Event, JobStatus, LogLine, StreamName
from jobctl.sdk.streams import Stream
from jobd.wire.views.job import TERMINAL, JobView

if TYPE_CHECKING:
    from jobctl.sdk.core import Core
    from jobctl.sdk.watcher import Ended, Watcher
    from jobctl.transfers.transfer_flags import Transfer


class Job:
    """A job of the daemon. `view` is its state as last seen; `refresh` and `wait` renew it. Threads may share a job."""

    def __init__(
        self, core: Core, watcher: Watcher, view: JobView, fetches: tuple[Transfer, ...] = ()
    ) -> None:
        self._core = core
        self._watcher = watcher
        self._fetches = fetches
        self.view = view

    @property
    def id(self) -> str:
        """The id, as `jobctl` shows it."""
        return self.view.id

    @property
    def status(self) -> JobStatus:
        """One of accepted, running, completed, failed, cancelled, as last seen."""
        return cast(JobStatus, self.view.status)

    @property
    def has_ended(self) -> bool:
        """Whether the job was seen to have ended."""
        return self.view.status in TERMINAL

    @property
    def exit_code(self) -> int | None:
        """The exit code of the command; None while unknown."""
        return self.view.exit_code

    @property
    def reason(self) -> str | None:
        """Why the job did not complete, such as `exit-code`, `timeout` or `oom-killed`."""
        return self.view.reason

    def __repr__(self) -> str:
        return f"<Job {self.id} {self.status}>"

    def refresh(self) -> JobView:
        """Asks for the present state, and returns it. Raises NotFound: the job was removed."""
        with explained():
            view = self._core.view(self.id)
            if self.view.uid and view.uid not in ("", self.view.uid):
                raise NotFound(f"{self.id} was removed; its id is that of another job now")
            self.view = view
            return view

    def wait(self, timeout: float | None = None, *, check: bool = True) -> Job:
        """Waits until the job has ended, copies its outputs to their local places, and returns the job.

        `timeout`: in seconds, None for no limit; the copies are made after it. `check=False`: a job that did not complete is no error.

        Raises:
            JobFailed, JobCancelled: the job did not complete. WaitTimedOut: the time has passed; the job goes on.
            ConnectionLost: the daemon was away for too long. NotFound: the job was removed. OutputMissing: an output does not exist.
        """
        with explained():
            future = self._end()
            try:
                self.view = future.result(timeout)
            except concurrent.futures.TimeoutError as error:
                if future.done() and future.exception() is error:
                    raise
                raise self._timed_out(timeout) from None
            finally:
                future.cancel()
            return self._finish(check)

    def logs(
        self,
        *,
        follow: bool = False,
        tail: int | None = None,
        stream: StreamName | None = None,
        timeout: float | None = None,
    ) -> Stream[LogLine]:
        """Returns an iterator over the lines of the log; with `follow`, until the job's end. `tail`: only so many last lines. `timeout`: raises
        WaitTimedOut after so many seconds.
        """
        with explained():
            return streams.log_lines(self._core, self.id, follow, tail, stream, timeout)

    def output(
        self,
        stream: StreamName | None = "stdout",
        *,
        max_bytes: int = files.MOST_BYTES,
        timeout: float | None = None,
    ) -> bytes:
        """Returns the output so far; `stream=None`: both streams. Raises Misuse: the output is longer than `max_bytes`."""
        data = bytearray()
        with explained(), self.logs(stream=stream, timeout=timeout) as lines:
            for line in lines:
                data += line.data
                if len(data) > max_bytes:
                    raise files.too_long(f"the output of {self.id}", max_bytes, "read it with logs()")
        return bytes(data)

    def events(
        self, *, follow: bool = False, after: int | None = None, timeout: float | None = None
    ) -> Stream[Event]:
        """Returns an iterator over the job's events; with `follow`, until the last one, which is `complete`. `after`: only events after this
        number. `timeout`: raises WaitTimedOut after so many seconds.
        """
        with explained():
            return streams.events(self._core, self.id, follow, after, timeout)

    def cancel(
        self, reason: str | None = None, *, signal: str | None = None, grace: int | None = None
    ) -> None:
        """Asks the daemon to end the job; `wait` waits for the end. The command gets `signal`, and SIGKILL `grace` seconds later; the
        defaults are those of the job.

        Raises:
            Conflict: the job has ended.
        """
        with explained():
            self._core.patiently(
                lambda: request_cancel(
                    self._core.http, self.id, why=reason, signal_name=signal, grace_s=grace
                )
            )

    def download(self, path: str, destination: str | os.PathLike[str] = ".") -> Path:
        """Copies a file or folder of the workspace, as `jobctl cp` does, and returns where it is now. A `destination` that ends in `/` or is a
        dot is a folder that gets the copy under its own name.
        """
        with explained():
            return files.download(self._core, self.id, path, destination)

    def read(self, path: str, *, max_bytes: int = files.MOST_BYTES) -> bytes:
        """Returns the content of a file of the workspace. Raises Misuse: the file is longer than `max_bytes`, or a folder."""
        with explained():
            return files.read(self._core, self.id, path, max_bytes)

    def delete(self) -> None:
        """Removes the job with its containers, files and record. An active job is ended."""
        tries = 0

        def once() -> None:
            nonlocal tries
            tries += 1
            try:
                with self._core.http.open("DELETE", job_path(self.id), timeout_s=120.0):
                    pass
            except NotFound:
                if tries == 1:
                    raise

        with explained():
            self._core.patiently(once)

    def _end(self) -> Ended:
        if self.has_ended:
            done: Ended = concurrent.futures.Future()
            done.set_result(self.view)
            return done
        return self._watcher.ended(self.id, self.view.uid)

    def _timed_out(self, timeout: float | None) -> WaitTimedOut:
        return WaitTimedOut(
            f"{self.id} did not end within {timeout or 0:g} s",
            hint="the job goes on: wait again, or cancel()",
        )

    def _is_finished(self, check: bool) -> bool:
        """Returns whether `_finish` has nothing to do."""
        return not self._fetches if self.view.status == "completed" else not check

    def _finish(self, check: bool) -> Job:
        """Copies the outputs of a completed job, once."""
        if self.view.status == "completed":
            fetches, self._fetches = self._fetches, ()
            for done, transfer in enumerate(fetches):
                try:
                    files.download(self._core, self.id, transfer.path, transfer.local)
                except BaseException:
                    self._fetches = fetches[done:]
                    raise
        elif check:
            raise failure(self.view)
        return self
