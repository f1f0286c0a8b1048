"""The store's types: rows and bytes. What a status or a record means is the callers' knowledge.

All times are aware UTC with microseconds. `delivery_rows.py` has the types of deliveries.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

FIRST = (-1, 0)
"""The cursor of the first `EndedPage`."""


@dataclass(frozen=True, slots=True)
class Ending:
    """What statistics know of an ended job. `spent`: the microseconds in each phase, in the caller's order; None for a phase that the job
    did not have.
    """

    reason: str | None
    image: str
    group: str
    spent: tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class EndedJob:
    """A row of statistics. `keys`: the job's values of the property by which jobs are grouped."""

    finished_at: datetime
    status: str
    reason: str | None
    spent: tuple[int | None, ...]
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class JobRow:
    """One job. `record` and `spec` are bytes of the caller's; the other columns serve queries.

    `live`: the job has not ended or is not cleaned up. `hidden`: the job is deleted; queries by id and lists leave it out.
    `holds_id`: no other job may use the id yet. `uid`, `id`, `owner`, `labels`, `created_at` and `spec` never change; only the
    insert writes `spec`. `version` counts the changes of the row: an update has the version after the one that it read. `number`
    is assigned by the store, 0 before the insert. `damage` names the damage of the stored row, None where it is whole; a damaged
    row has an empty `record` and `spec`. `set_name`: the job's set, which never changes; `waiting`: the job waits to start. `ending`: of an ended job; queries do not return it.
    """

    uid: str
    id: str
    owner: str | None
    status: str
    labels: Mapping[str, str]
    created_at: datetime
    finished_at: datetime | None
    live: bool
    hidden: bool
    holds_id: bool
    record: bytes
    spec: bytes = b""
    version: int = 0
    number: int = field(default=0, compare=False)
    damage: str | None = None
    set_name: str | None = None
    waiting: bool = False
    ending: Ending | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class SetRow:
    """A set of jobs, and how many of them wait, run and have ended. `unreadable`: rows that are damaged. `finished_at` is None while a
    job has not ended.
    """

    name: str
    total: int
    waiting: int
    running: int
    completed: int
    failed: int
    cancelled: int
    unreadable: int
    created_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class SetPage:
    """One page of sets, newest first; `cursor` leads to the next page, None on the last one."""

    sets: list[SetRow]
    cursor: int | None


@dataclass(frozen=True, slots=True)
class GroupRow:
    """The settings of a group of jobs: how many may run at once (None: no limit), and whether none may start. `freezes`: the pause
    also holds for running jobs. The settings of a `temporary` group are removed some time after its last job.
    """

    name: str
    limit: int | None
    paused: bool
    freezes: bool = False
    temporary: bool = False


@dataclass(frozen=True, slots=True)
class QueueRow:
    """The settings of all groups; `paused`: no job of any group may start. `freezes`: the pause also holds for running jobs."""

    paused: bool
    groups: list[GroupRow]
    freezes: bool = False


@dataclass(frozen=True, slots=True)
class NewEvent:
    """One event to store; with `deliver` it also enters the outbox if the job has a callback."""

    event_id: str
    type: str
    body: bytes
    created_at: datetime
    deliver: bool


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """One stored event. `seq` grows over all jobs and is never reused, even after a purge."""

    seq: int
    job_uid: str
    job_id: str
    event_id: str
    type: str
    body: bytes
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Callback:
    """The URL that receives a job's events. `destination` is its `scheme://host:port` in lower case, the key of queues and breakers.

    `batch`: one request may contain several events.
    """

    url: str
    key: str | None = field(repr=False)
    destination: str
    batch: bool = False


@dataclass(frozen=True, slots=True)
class LogChunk:
    """Lines `first_seq` to `last_seq` of a job's log: `data` is NDJSON as on the wire. `damaged`: the checksum does not match."""

    first_seq: int
    last_seq: int
    line_count: int
    data: bytes
    damaged: bool = False


@dataclass(frozen=True, slots=True)
class LogStats:
    """The size of a job's log. `last_seq` is 0 where the log is empty."""

    last_seq: int
    line_count: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Transition:
    """One commit: the job's new row, with the events and log lines of the change.

    `claim_id`: the row is inserted and its id must be free; otherwise the row must exist, one version before `job`. `callback`
    is set once. `also`: another job's row, which must exist, one version before.
    """

    job: JobRow
    events: tuple[NewEvent, ...] = ()
    logs: tuple[LogChunk, ...] = ()
    callback: Callback | None = None
    claim_id: bool = False
    also: JobRow | None = None

    @property
    def size_bytes(self) -> int:
        """The size of its long parts: record, spec, events and log."""
        job = len(self.job.record) + len(self.job.spec)
        return job + sum(len(e.body) for e in self.events) + sum(len(chunk.data) for chunk in self.logs)


@dataclass(frozen=True, slots=True)
class JobPage:
    """One page of jobs, newest first; `cursor` leads to the next page, None on the last one."""

    jobs: list[JobRow]
    cursor: str | None


@dataclass(frozen=True, slots=True)
class EndedPage:
    """One page of ended jobs, in the order of their ends; `cursor` leads to the next page, None on the last one."""

    jobs: list[JobRow]
    cursor: tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class Counts:
    """Numbers of jobs and deliveries and the sizes of the files, for metrics and `jobctl doctor`. `oldest_pending_s`: the age of the
    oldest pending delivery in observed time, 0 without one.
    """

    jobs: int
    live_jobs: int
    pending: int
    parked: int
    oldest_pending_s: float
    size_bytes: int
    wal_bytes: int
