"""The records of the observer: each request, response, observation and event, with its time. No decisions.

All times are seconds since the start of the soak, on the monotonic clock of the harness. Threads append; the checks read.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

TERMINAL = frozenset({"completed", "failed", "cancelled"})


@dataclass(frozen=True, slots=True)
class Expect:
    """The expected result of a job that nobody cancels or deletes. `code` None: the worker never runs.

    `out`, `err`: the numbers of numbered lines that the worker prints. `tail`: a last line without a newline. `reports`: the
    worker reports its start to the harness. `init_says`: the begin of a line that the container's init may print on stderr. `uploads`: name -> content of an upload. `reads`: artifact -> content in its event.
    """

    status: str = "completed"
    reason: str | None = None
    code: int | None = 0
    out: int = 0
    err: int = 0
    tail: bool = False
    attempts: int = 1
    timeout_s: float | None = None
    uploads: dict[str, str] = field(default_factory=dict)
    reads: dict[str, Any] = field(default_factory=dict)
    fills_log: bool = False
    reports: bool = True
    init_says: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """One response of the API to a call about a job. `status` 0: no response, so the call may have had its effect."""

    asked_s: float
    answered_s: float
    call: str
    status: int
    code: str = ""
    field: str = ""


@dataclass(frozen=True, slots=True)
class End:
    """A job's end as shown by the API."""

    status: str
    reason: str | None
    code: int | None


@dataclass(frozen=True, slots=True)
class Line:
    """A stored line of a job's log."""

    seq: int
    stream: str
    text: str
    gap: str | None


@dataclass(slots=True)
class Job:
    """The records of one job: what was sent, acknowledged and seen."""

    id: str
    kind: str
    receiver: str
    expect: Expect
    valid: bool = True
    answers: list[Answer] = field(default_factory=list)
    uid: str = ""
    accepted_s: float | None = None
    cancel_asked_s: float | None = None
    cancelled_s: float | None = None
    """When a cancel was acknowledged."""
    delete_asked_s: float | None = None
    deleted_s: float | None = None
    """When a delete was acknowledged."""
    alive_s: float = 0.0
    """The time of the last listing that shows the job as not ended."""
    end: End | None = None
    end_seen_s: float | None = None
    later_ends: list[End] = field(default_factory=list)
    """Later ends shown by the API that differ from the first one."""
    log: list[Line] | None = None
    log_ended: bool = False
    followed: list[Line] | None = None
    follow_ended: bool = False

    @property
    def undisturbed(self) -> bool:
        """True if nobody has cancelled or deleted the job."""
        return self.cancel_asked_s is None and self.delete_asked_s is None


@dataclass(frozen=True, slots=True)
class Listing:
    """The ids in one complete response of `GET /v1/jobs`."""

    asked_s: float
    answered_s: float
    ids: frozenset[str]


@dataclass(frozen=True, slots=True)
class OnEngine:
    """The jobs that had containers or volumes on the engine."""

    at_s: float
    ids: frozenset[str]


@dataclass(frozen=True, slots=True)
class Happened:
    """An event of the engine about one of the job's containers."""

    at_s: float
    action: str
    role: str
    job_id: str
    uid: str
    attempt: int
    container: str
    code: int | None = None


@dataclass(frozen=True, slots=True)
class Arrival:
    """An event that a receiver got. `taken`: the receiver responded 2xx."""

    at_s: float
    receiver: str
    job_id: str
    event_id: str
    type: str
    sequence: int | None
    digest: str
    verified: bool
    taken: bool
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Sample:
    """jobd's memory, and its usage of the state's disk."""

    at_s: float
    memory_bytes: int
    state_bytes: int


@dataclass(slots=True)
class Window:
    """A fault and its duration: for a kill, until jobd was ready again."""

    kind: str
    began_s: float
    ended_s: float | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Limits:
    """jobd's settings, and the tolerances of the checks."""

    job_retention_s: float = 15.0
    history_retention_s: float = 120.0
    memory_bytes: int = 160 << 20
    state_bytes: int = 96 << 20
    log_bytes: int = 1 << 20
    gone_s: float = 60.0
    """The delay of removals from the engine: a loaded engine takes seconds for each container."""
    slack_s: float = 20.0
    """jobd's delay for immediate actions on a loaded machine, without the duration of faults."""


@dataclass(slots=True)
class Records:
    """All records of a soak."""

    limits: Limits = field(default_factory=Limits)
    jobs: dict[str, Job] = field(default_factory=dict)
    listings: list[Listing] = field(default_factory=list)
    engine: list[OnEngine] = field(default_factory=list)
    happened: list[Happened] = field(default_factory=list)
    started: set[str] = field(default_factory=set)
    """The jobs whose worker has started."""
    arrivals: list[Arrival] = field(default_factory=list)
    reports: list[tuple[float, str]] = field(default_factory=list)
    """The time and the job of each start that a worker itself has reported."""
    uploads: dict[str, tuple[float, str]] = field(default_factory=dict)
    samples: list[Sample] = field(default_factory=list)
    windows: list[Window] = field(default_factory=list)
    clock: list[tuple[float, float]] = field(default_factory=list)
    """The times at which jobd's wall clock was set, and its offset in seconds from then on."""
    faults_of_jobd: list[str] = field(default_factory=list)
    """jobd's own faults: it ended by itself, or did not end on SIGTERM."""

    listed_at_end: list[str] = field(default_factory=list)
    """The ids that the API lists after the deletion of all jobs."""

    def disturbed_s(self, begin_s: float, end_s: float, kinds: Iterable[str] | None = None) -> float:
        """Returns the seconds between the two times during which a fault was active."""
        wanted = None if kinds is None else frozenset(kinds)
        total = 0.0
        for window in list(self.windows):
            if wanted is None or window.kind in wanted:
                until_s = end_s if window.ended_s is None else window.ended_s
                total += max(0.0, min(end_s, until_s) - max(begin_s, window.began_s))
        return total

    def not_behind_since(self, begin_s: float, end_s: float) -> float:
        """Returns the time, between the two times, from which on the wall clock was never behind its offset at the first."""
        least, since_s = self.clock_at(begin_s), begin_s
        ends = [at_s for at_s, _ in self.clock[1:]] + [end_s]
        for (at_s, offset), until_s in zip(self.clock, ends, strict=False):
            if offset < least and at_s < end_s and until_s > begin_s:
                since_s = min(until_s, end_s)
        return since_s

    def clock_at(self, at_s: float) -> float:
        """Returns the offset of jobd's wall clock at a time, in seconds."""
        offset = 0.0
        for moment, value in self.clock:
            if moment <= at_s:
                offset = value
        return offset
