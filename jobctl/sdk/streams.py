"""Followed logs and events: iterators that resume over a restart of the daemon, and end at a time limit or from another thread."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Generic, TypeVar

from jobctl.connection.client import Client
from jobctl.connection.event_stream import stream
from jobctl.connection.log_stream import frames
from jobctl.errors import ConnectionLost, JobctlError
from jobctl.sdk.errors import WaitTimedOut, explained
from jobctl.sdk.models import Event, LogLine, event_of, line_of

if TYPE_CHECKING:
    import _socket

    from jobctl.connection.config import Target
    from jobctl.sdk.core import Core

T = TypeVar("T")

COMPLETE = "complete"


class Stopped(Exception):
    """The stream was ended from outside, or its time has passed."""


class StoppableClient(Client):
    """The client of one stream. Another thread may end its connection."""

    def __init__(self, target: Target) -> None:
        super().__init__([target])
        self._stopped = threading.Event()
        self._connection: _socket.socket | None = None
        self.has_expired = False

    @property
    def is_stopped(self) -> bool:
        """Returns whether the stream was ended."""
        return self._stopped.is_set()

    def stop(self) -> None:
        """Ends the stream: a read that waits returns at once."""
        self._stopped.set()
        if self._connection is not None:
            try:
                self._connection.shutdown(2)
            except OSError:
                pass  # the connection is closed already

    def expire(self) -> None:
        """Ends the stream since its time has passed."""
        self.has_expired = True
        self.stop()

    def sleep(self, seconds: float) -> None:
        """Waits before the next try to reconnect, no longer than until the end of the stream."""
        self._stopped.wait(seconds)

    def _connect(self) -> _socket.socket:
        connection = super()._connect() if not self._stopped.is_set() else None
        self._connection = connection
        if connection is None or self._stopped.is_set():
            if connection is not None:
                connection.close()
            raise Stopped
        return connection


class Stream(Generic[T]):
    """An iterator over lines or events. Leaving a `with` block, or `close`, ends its connection."""

    def __init__(
        self,
        target: Target,
        batches: Callable[[StoppableClient], Generator[list[T], None, None]],
        what: str,
        timeout: float | None,
    ) -> None:
        self._client = StoppableClient(target)
        self._batches = batches(self._client)
        self._ready: deque[T] = deque()
        self._timeout, self._what = timeout, what
        self._timer: threading.Timer | None = None
        if timeout is not None:
            self._timer = threading.Timer(timeout, self._client.expire)
            self._timer.daemon = True
            self._timer.start()

    def __iter__(self) -> Stream[T]:
        return self

    def __next__(self) -> T:
        while not self._ready:
            batch = self.batch()
            if not batch:
                raise StopIteration
            self._ready.extend(batch)
        return self._ready.popleft()

    def __enter__(self) -> Stream[T]:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def batch(self) -> list[T]:
        """Returns the next ones that have arrived together, at least one; an empty list at the end.

        Raises:
            WaitTimedOut: the time has passed. ConnectionLost: the daemon was away for too long. NotFound: the job was removed.
        """
        try:
            with explained():
                for batch in self._batches:
                    if batch:
                        return batch
        except (Stopped, JobctlError) as error:
            has_expired, is_stopped = self._client.has_expired, self._client.is_stopped
            self.close()
            if has_expired:
                raise WaitTimedOut(f"{self._what} did not end within {self._timeout:g} s") from None
            if not (is_stopped and isinstance(error, Stopped | ConnectionLost)):
                raise
        self.close()
        return []

    def close(self) -> None:
        """Ends the stream, also while another thread waits for its next item."""
        if self._timer is not None:
            self._timer.cancel()
        self._client.stop()
        try:
            self._batches.close()
        except ValueError:
            pass  # another thread waits in it, and closes it


def log_lines(
    core: Core, job_id: str, follow: bool, tail: int | None, stream_name: str | None, timeout: float | None
) -> Stream[LogLine]:
    """Returns the lines of a job's log; with `follow`, until the job's end."""

    def batches(client: StoppableClient) -> Generator[list[LogLine], None, None]:
        for batch in frames(
            client,
            job_id,
            follow=follow,
            tail=tail,
            stream=stream_name,
            reconnect_for_s=core.reconnect_for_s,
            sleep=client.sleep,
        ):
            yield [line_of(frame) for frame in batch if frame.end is None]

    return Stream(core.target(), batches, f"the log of {job_id}", timeout)


def events(
    core: Core, job_id: str | None, follow: bool, after: int | None, timeout: float | None
) -> Stream[Event]:
    """Returns the events of all jobs, or of one; with `follow` also new ones: those of one job until its end."""

    def batches(client: StoppableClient) -> Generator[list[Event], None, None]:
        lines = stream(
            client, follow, job_id, after, lambda why: None, core.reconnect_for_s, sleep=client.sleep
        )
        for line in lines:
            event = event_of(line)
            yield [event]
            if job_id is not None and event.type == COMPLETE:
                return

    what = "the feed of events" if job_id is None else f"the feed of {job_id}"
    return Stream(core.target(), batches, what, timeout)
