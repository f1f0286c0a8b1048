"""The rows that go into the store and come out of it.

Owns their shapes. They are rows and bytes: what a status or a record means is the caller's knowledge.
All times are aware UTC, kept to the microsecond.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

DeliveryState = Literal["pending", "delivered", "parked", "abandoned"]
Outcome = Literal["delivered", "retry", "requeue", "park", "abandon"]


@dataclass(frozen=True, slots=True)
class JobRow:
    """One job. `record` is the caller's own bytes, its current truth; the rest is what it is found by.

    `live`: it still needs work (not ended, or not cleaned up). `hidden`: deleted by wish, shown neither by id nor in
    a list. `holds_id`: its id is not free yet. `uid`, `id`, `owner`, `labels`, `created_at` and `spec` never change;
    `spec`, the caller's bytes too, is written with the claim alone and comes back with every read. `version` counts the
    changes of the row: a change is written with the version after the one that it began from. `number` is the store's own, 0
    before the claim. `damage`: what is wrong with the row as it was read, None where it is whole; of a damaged row `record` and
    `spec` mean nothing.
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


@dataclass(frozen=True, slots=True)
class NewEvent:
    """One event to be kept; `deliver` puts it into the outbox too, where the job has a callback."""

    event_id: str
    type: str
    body: bytes
    created_at: datetime
    deliver: bool


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """One kept event. `seq` grows over all jobs and is never used twice, also after a purge."""

    seq: int
    job_uid: str
    job_id: str
    event_id: str
    type: str
    body: bytes
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Callback:
    """Where a job's events go. `destination` is `scheme://host:port` in lower case: what the breaker is kept by.

    `batch`: several events may go in one request.
    """

    url: str
    key: str | None = field(repr=False)
    destination: str
    batch: bool = False


@dataclass(frozen=True, slots=True)
class LogChunk:
    """Lines `first_seq` to `last_seq` of a job's log: `data` is NDJSON, as it goes on the wire. `damaged`: the disk has changed it."""

    first_seq: int
    last_seq: int
    line_count: int
    data: bytes
    damaged: bool = False


@dataclass(frozen=True, slots=True)
class LogStats:
    """How much log a job has. `last_seq` is 0 where it has none."""

    last_seq: int
    line_count: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Transition:
    """What one commit writes: the job's new row, and what happened with it.

    `claim_id` makes the row and takes its id; without it the row must be there, one version behind `job`. `callback` is
    set once.
    """

    job: JobRow
    events: tuple[NewEvent, ...] = ()
    logs: tuple[LogChunk, ...] = ()
    callback: Callback | None = None
    claim_id: bool = False

    @property
    def size_bytes(self) -> int:
        """What it holds, less what is small."""
        job = len(self.job.record) + len(self.job.spec)
        return job + sum(len(e.body) for e in self.events) + sum(len(chunk.data) for chunk in self.logs)


@dataclass(frozen=True, slots=True)
class JobPage:
    """One page of jobs, newest first; `cursor` asks for the next one, None ends the list."""

    jobs: list[JobRow]
    cursor: str | None


@dataclass(frozen=True, slots=True)
class EndedPage:
    """Jobs that ended, those that ended first, first; `cursor` asks for those behind them, None ends the list."""

    jobs: list[JobRow]
    cursor: tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event on its way to its job's callback, for people to look at.

    `id` equals `event_seq`. `attempts` counts requests sent, `requeues` whole rounds that failed.
    `next_attempt_at` is None while an earlier event of the job is first, and once it is not pending.
    """

    id: int
    event_seq: int
    job_uid: str
    job_id: str
    event_id: str
    event_type: str
    url: str
    destination: str
    state: DeliveryState
    attempts: int
    requeues: int
    next_attempt_at: datetime | None
    created_at: datetime
    delivered_at: datetime | None
    last_status: int | None
    last_error: str | None


@dataclass(frozen=True, slots=True)
class Due:
    """The first pending delivery of its job, for the dispatcher. `tries` counts within this round.

    `body` is empty where the stored bytes, or the callback, are damaged. It is None where it is long: `Store.delivery_body` reads it when its turn comes. `ahead`: those behind it, in their
    order, each with its body, as far as they were asked for and are short. `body_bytes`: how long a body is that was not read yet.
    """

    id: int
    job_uid: str
    job_id: str
    event_id: str
    event_type: str
    url: str
    key: str | None = field(repr=False)
    destination: str
    tries: int
    requeues: int
    created_at: datetime
    due_at: datetime
    body: bytes | None = field(repr=False)
    batch: bool = False
    ahead: tuple["Due", ...] = field(default=(), repr=False)
    body_bytes: int = 0


@dataclass(frozen=True, slots=True)
class DestinationDue:
    """One lane with pending deliveries, and when its first one is due."""

    destination: str
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Settlement:
    """What became of one delivery at the moment `at`.

    `delivered`: the receiver took it. `retry`: again at `next_attempt_at`, in this round. `requeue`: the round has failed,
    a new one begins at `next_attempt_at`. `park`: kept, the job's next one goes on. `abandon`: the receiver wants no
    more: this and everything else pending of the job. `sent`: False where no request was made. `follow`: the job's next one is
    to come back, with up to `ahead` of those behind it.
    """

    delivery_id: int
    outcome: Outcome
    at: datetime
    next_attempt_at: datetime | None = None
    status: int | None = None
    error: str | None = None
    sent: bool = True
    follow: bool = True
    ahead: int = 0


@dataclass(frozen=True, slots=True)
class Settled:
    """After a settlement that ended a delivery: the job's first pending one, if any; how many were abandoned with it."""

    following: Due | None
    abandoned: int = 0


@dataclass(frozen=True, slots=True)
class Counts:
    """What the outbox and the file hold now, for metrics and the doctor."""

    jobs: int
    live_jobs: int
    pending: int
    parked: int
    oldest_pending_at: datetime | None
    size_bytes: int
    wal_bytes: int
