"""What `jobs` requires of the store: one Protocol per use. `jobd.store.store.Store` implements all of them.

Every method may raise `StoreError`.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from jobd.store.tables.delivery_rows import Due
from jobd.store.tables.rows import (
    EndedPage,
    GroupRow,
    JobPage,
    JobRow,
    LogChunk,
    LogStats,
    QueueRow,
    SetPage,
    SetRow,
    StoredEvent,
    Transition,
)


class JobRows(Protocol):
    """Single rows, for the supervisors."""

    async def get_by_uid(self, uid: str) -> JobRow | None:
        """Returns the job with this uid, hidden or not."""
        ...


class JobsById(Protocol):
    """The jobs that clients name."""

    async def get_by_id(self, job_id: str) -> JobRow | None:
        """Returns the newest job with this id that is not hidden."""
        ...


class Liveness(Protocol):
    """Whether jobs are live."""

    async def liveness(self, uids: Iterable[str]) -> dict[str, bool]:
        """Returns, for each of these uids that a job has, whether the job is live."""
        ...


class JobsToRetry(JobsById, Liveness, Protocol):
    """Ended jobs, and the numbers of their retries."""

    async def highest_number(self, prefix: str, digits: int) -> int:
        """Returns the highest number of up to `digits` digits with which an id continues `prefix`; 0 if there is none."""
        ...


class Jobs(JobRows, JobsById, Liveness, Protocol):
    """Clients' jobs, for the service."""

    async def list_jobs(
        self,
        *,
        statuses: frozenset[str] | None = None,
        labels: Mapping[str, str] | None = None,
        owner: str | None = None,
        since: datetime | None = None,
        prefix: str = "",
        set_name: str | None = None,
        cursor: str | None = None,
        limit: int = 100,
    ) -> JobPage:
        """Returns one page of jobs. Raises ValueError: the cursor is not from a page."""
        ...

    async def hide(self, job_id: str) -> None:
        """Hides the ended jobs with this id."""
        ...


class SetRows(Protocol):
    """Sets of jobs."""

    async def get_set(self, name: str) -> SetRow | None:
        """Returns the numbers of a set's jobs, None if it has none."""
        ...

    async def list_sets(self, before: int | None, limit: int) -> SetPage:
        """Returns one page of sets, newest first."""
        ...

    async def active_in_set(self, name: str) -> list[str]:
        """Returns the uids of the set's jobs that have not ended: those that wait, then the others; of both the newest first."""
        ...


class GroupRows(Protocol):
    """The settings of groups."""

    async def load_queue(self) -> QueueRow:
        """Returns the settings of all groups, and whether everything is paused."""
        ...

    async def put_group(self, group: GroupRow) -> None:
        """Writes the settings of a group."""
        ...

    async def remove_group(self, name: str) -> None:
        """Removes the settings of a group."""
        ...

    async def set_queue_paused(self, paused: bool, freezes: bool) -> None:
        """Pauses or resumes all groups; `freezes`: also their running jobs."""
        ...


class LogChunks(Protocol):
    """Chunks of logs."""

    async def log_chunks(self, uid: str, after_seq: int, max_bytes: int) -> list[LogChunk]:
        """Returns the chunks with lines after `after_seq`, in order, up to `max_bytes` and at least one."""
        ...


class Logs(LogChunks, Protocol):
    """Logs, for their readers."""

    async def log_stats(self, uid: str) -> LogStats:
        """Returns the size of a job's log."""
        ...


class Transitions(JobRows, JobsById, LogChunks, Protocol):
    """Changes of records, for the repository."""

    async def commit(self, transition: Transition) -> list[StoredEvent]:
        """Writes a transition in one transaction; returns its events. Raises IdTaken, NoSuchJob, StaleJob, StoreFull."""
        ...

    async def due_of(self, uids: Sequence[str], ahead: int = 0) -> list[Due]:
        """Returns the first pending delivery of each of these jobs."""
        ...


class EndedJobs(JobRows, Liveness, Protocol):
    """Ended and damaged jobs, for retention."""

    async def ended_live_rows(self, age_s: float, limit: int, after: tuple[int, int] = ...) -> EndedPage:
        """Returns jobs that ended at least `age_s` seconds of observed time ago and are not cleaned up."""
        ...

    async def expire(self, age_s: float, limit: int) -> list[str]:
        """Hides cleaned up jobs that ended at least `age_s` seconds of observed time ago; returns their uids."""
        ...

    async def remove_hidden(self) -> int:
        """Removes the hidden jobs that are cleaned up and have no pending delivery; returns their number."""
        ...

    async def is_damaged(self, uid: str, job_id: str) -> bool:
        """Returns whether a row with this uid or this id is damaged and not deleted."""
        ...

    async def discard(self, number: int) -> None:
        """Marks a damaged job for removal."""
        ...


class RetentionStore(EndedJobs, Protocol):
    """The calls of each round of retention."""

    async def scan_for_damage(self) -> bool:
        """Checks the next rows for damage. False if the scan is complete."""
        ...

    async def save_observed_time(self) -> None:
        """Stores the observed time."""
        ...

    async def vacuum(self) -> None:
        """Returns free pages of the file to the file system."""
        ...
