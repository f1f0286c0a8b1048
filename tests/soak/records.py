"""What the observer knows: each thing that was asked, answered, seen and received, with the moment. Decides nothing.

All times are seconds since the start of the soak, on the monotonic clock of the harness. Threads append; the checks read.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

TERMINAL = frozenset({"completed", "failed", "cancelled"})


@dataclass(frozen=True, slots=True)
class Expect:
    """What a job must come to when nobody cancels or deletes the job. `code` None: the worker never runs.

    `out`, `err`: how many numbered lines the worker prints on each stream. `tail`: a last line without a newline.
    `reports`: the worker tells the harness of its start.
    `uploads`: name -> content that the job puts there. `reads`: artifact -> content in that artifact's event.
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


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of the API to a call about a job. `status` 0: no answer, so the call may have had its effect."""

    asked_s: float
    answered_s: float
    call: str
    status: int
    code: str = ""
    field: str = ""


@dataclass(frozen=True, slots=True)
class End:
    """How the API says that a job ended."""

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
    """One job from the ledger's view: what was sent, acknowledged and seen of the job."""

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
    """The last moment at which a listing showed the job as not ended."""
    end: End | None = None
    end_seen_s: float | None = None
    later_ends: list[End] = field(default_factory=list)
    """Ends that the API gave after the first one, where they differ."""
    log: list[Line] | None = None
    log_ended: bool = False
    followed: list[Line] | None = None
    follow_ended: bool = False

    @property
    def undisturbed(self) -> bool:
        """True where nobody has asked to cancel or delete the job."""
        return self.cancel_asked_s is None and self.delete_asked_s is None


@dataclass(frozen=True, slots=True)
class Listing:
    """One complete answer of `GET /v1/jobs`: the ids in it."""

    asked_s: float
    answered_s: float
    ids: frozenset[str]


@dataclass(frozen=True, slots=True)
class OnEngine:
    """Which jobs had containers or volumes on the engine."""

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
    """An event that a receiver was sent. `taken`: the receiver answered 2xx."""

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
    """How much memory jobd holds and how much of the state's disk jobd uses."""

    at_s: float
    memory_bytes: int
    state_bytes: int


@dataclass(slots=True)
class Window:
    """A fault and how long it lasted: for a kill, until jobd was ready again."""

    kind: str
    began_s: float
    ended_s: float | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Limits:
    """What jobd was configured with, and what the checks allow."""

    job_retention_s: float = 15.0
    history_retention_s: float = 120.0
    memory_bytes: int = 160 << 20
    state_bytes: int = 96 << 20
    log_bytes: int = 1 << 20
    gone_s: float = 60.0
    """How long what is due to be removed may still be on the engine: a loaded engine takes seconds for each container."""
    slack_s: float = 20.0
    """How long jobd may take for what should follow at once, on a loaded machine, beside the time that faults take."""


@dataclass(slots=True)
class Records:
    """Everything."""

    limits: Limits = field(default_factory=Limits)
    jobs: dict[str, Job] = field(default_factory=dict)
    listings: list[Listing] = field(default_factory=list)
    engine: list[OnEngine] = field(default_factory=list)
    happened: list[Happened] = field(default_factory=list)
    started: set[str] = field(default_factory=set)
    """The jobs whose worker has started."""
    arrivals: list[Arrival] = field(default_factory=list)
    reports: list[tuple[float, str]] = field(default_factory=list)
    """The moment and the job of each start that a worker itself reported."""
    uploads: dict[str, tuple[float, str]] = field(default_factory=dict)
    samples: list[Sample] = field(default_factory=list)
    windows: list[Window] = field(default_factory=list)
    clock: list[tuple[float, float]] = field(default_factory=list)
    """Each moment at which jobd's wall clock was set, and by how many seconds the clock was off from then on."""
    faults_of_jobd: list[str] = field(default_factory=list)
    """What jobd did of itself: ended, or did not end on SIGTERM."""

    listed_at_end: list[str] = field(default_factory=list)
    """What the API lists after everything has been deleted."""

    def disturbed_s(self, begin_s: float, end_s: float, kinds: Iterable[str] | None = None) -> float:
        """Returns the seconds between the two moments in which a fault stood."""
        wanted = None if kinds is None else frozenset(kinds)
        total = 0.0
        for window in list(self.windows):
            if wanted is None or window.kind in wanted:
                until_s = end_s if window.ended_s is None else window.ended_s
                total += max(0.0, min(end_s, until_s) - max(begin_s, window.began_s))
        return total

    def not_behind_since(self, begin_s: float, end_s: float) -> float:
        """Returns from when on, between the two moments, the wall clock was never behind what the clock was at the first."""
        least, since_s = self.clock_at(begin_s), begin_s
        ends = [at_s for at_s, _ in self.clock[1:]] + [end_s]
        for (at_s, offset), until_s in zip(self.clock, ends, strict=False):
            if offset < least and at_s < end_s and until_s > begin_s:
                since_s = min(until_s, end_s)
        return since_s

    def clock_at(self, at_s: float) -> float:
        """Returns by how many seconds jobd's wall clock was off at a moment."""
        offset = 0.0
        for moment, value in self.clock:
            if moment <= at_s:
                offset = value
        return offset
