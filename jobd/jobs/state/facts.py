"""The facts of a job. Pure data; `machine.py` decides what a fact changes.

A fact is an event that jobd has observed. `actions.py` has the actions.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from jobd.jobs.port.model import Created, ImageFacts, Observation, Role, Usage
from jobd.jobs.record.parts import OutputState
from jobd.wire.report import Heading, Report


@dataclass(frozen=True, slots=True)
class Admitted:
    """The queue gave the job a place, and these GPUs alone."""

    gpus: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DependencyEnded:
    """A job that this one waits for has ended. `status`: its final status; any other text for a job that cannot be read."""

    uid: str
    status: str


@dataclass(frozen=True, slots=True)
class Reprioritized:
    """A user changes the job's place in the queue. `ticket`: None leaves the job's own."""

    priority: int
    ticket: int | None = None


@dataclass(frozen=True, slots=True)
class ImageReady:
    """The image is local."""

    image: ImageFacts


@dataclass(frozen=True, slots=True)
class Prepared:
    """The containers exist, not started."""

    created: Created


@dataclass(frozen=True, slots=True)
class SetupFailed:
    """The job's setup has failed, and another try would fail too. `reason` is a kebab code."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class EngineErred:
    """The engine answered this action with an error that may pass. `seen_s`: the seconds since the previous error answer, counted by
    this process; `limit_s`: for how long jobd retries the action.
    """

    action: str
    message: str
    seen_s: float
    limit_s: float


@dataclass(frozen=True, slots=True)
class EngineAnswered:
    """The engine has executed this action."""

    action: str


@dataclass(frozen=True, slots=True)
class SidecarStarting:
    """The sidecar is about to be started. Stored before the start, so that no sidecar is started twice."""


@dataclass(frozen=True, slots=True)
class WorkerStarting:
    """The worker is about to be started. Stored before the start, so that a start without an answer is never repeated."""


@dataclass(frozen=True, slots=True)
class WorkerStartFailed:
    """The engine reported that the worker did not start. `exit_code`: as in `StartFailed`."""

    exit_code: int | None
    message: str


@dataclass(frozen=True, slots=True)
class SidecarLost:
    """The sidecar, or its workspace, is gone before the worker's start was requested. `counts`: the sidecar has ended by itself."""

    why: str
    counts: bool = True


@dataclass(frozen=True, slots=True)
class StartUnsent:
    """The request to start the worker has not reached the engine, and never will."""


@dataclass(frozen=True, slots=True)
class NeverStarted:
    """A container whose start was requested is removed: the container has not run and never will."""

    role: Role


@dataclass(frozen=True, slots=True)
class Observed:
    """The containers were observed. `reports_drained`: all reports of an ended sidecar have been handled."""

    observation: Observation
    reports_drained: bool = False


@dataclass(frozen=True, slots=True)
class Reported:
    """The sidecar sent a report. `order_given`: the sidecar got its whole order. `all_read`: the report comes from the sidecar's own
    output, where each artifact's report precedes the report that ends its phase.
    """

    report: Report
    order_given: bool = True
    all_read: bool = False


@dataclass(frozen=True, slots=True)
class ReportUnread:
    """The sidecar printed a report that cannot be read. `why` quotes the line; `heading`: the readable fields at the line's beginning."""

    why: str
    heading: Heading


@dataclass(frozen=True, slots=True)
class SidecarNotified:
    """The sidecar was notified that the worker has ended."""


@dataclass(frozen=True, slots=True)
class OutputsCollected:
    """The outputs that the client fetches were checked, by path. `reason`: why outputs are missing or not kept, a kebab code."""

    outputs: Mapping[str, OutputState]
    reason: str | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class LogsDrained:
    """The log of the ended worker has been read to its end and stored."""


@dataclass(frozen=True, slots=True)
class StopSent:
    """A stopping signal was sent; `kill` for SIGKILL."""

    kill: bool


@dataclass(frozen=True, slots=True)
class CancelRequested:
    """A user wants the job to end; with `delete`, to be deleted too. `signal`: the first signal that the worker gets, SIGKILL follows after
    `grace_s`; None: the job's own.
    """

    by: str
    grace_s: float | None
    delete: bool
    why: str | None = None
    signal: str | None = None


@dataclass(frozen=True, slots=True)
class PauseRequested:
    """A user pauses this job alone, or resumes it."""

    paused: bool


@dataclass(frozen=True, slots=True)
class WorkerFreezing:
    """The worker is about to be frozen. Stored before the call, so that the time limit stands still from then on, also over a kill of jobd."""


@dataclass(frozen=True, slots=True)
class WorkerFrozen:
    """The engine has frozen the worker."""


@dataclass(frozen=True, slots=True)
class FreezeRefused:
    """The engine has refused to freeze the worker, which runs on."""

    message: str


@dataclass(frozen=True, slots=True)
class WorkerThawing:
    """The worker is about to be thawed. Stored before the call, so that the time limit counts from then on, also over a kill of jobd."""


@dataclass(frozen=True, slots=True)
class WorkerThawed:
    """The engine has thawed the worker."""


@dataclass(frozen=True, slots=True)
class InputOpening:
    """jobd is about to open the worker's standard input. Stored before the call: if jobd is killed, the worker reads the end of its input."""


@dataclass(frozen=True, slots=True)
class InputEnding:
    """The client has sent the end of the input, and jobd is about to pass the end on."""


@dataclass(frozen=True, slots=True)
class InputCut:
    """The connection to the worker's standard input has ended with an earlier process of jobd, before the client sent the end."""


@dataclass(frozen=True, slots=True)
class TimePassed:
    """The time of a `Wait` has come."""


@dataclass(frozen=True, slots=True)
class Measured:
    """The running worker was measured."""

    usage: Usage


@dataclass(frozen=True, slots=True)
class ClockMoved:
    """The wall clock was set, or the machine was booted, since the record's awaited times were written. `offset` in seconds."""

    boot: str
    offset: float


@dataclass(frozen=True, slots=True)
class Cleaned:
    """All containers and volumes of the job are removed."""


Fact = (
    Admitted
    | DependencyEnded
    | Reprioritized
    | ImageReady
    | Prepared
    | SetupFailed
    | EngineErred
    | EngineAnswered
    | SidecarStarting
    | WorkerStarting
    | WorkerStartFailed
    | SidecarLost
    | StartUnsent
    | NeverStarted
    | Observed
    | Reported
    | ReportUnread
    | SidecarNotified
    | OutputsCollected
    | LogsDrained
    | StopSent
    | CancelRequested
    | PauseRequested
    | WorkerFreezing
    | WorkerFrozen
    | FreezeRefused
    | WorkerThawing
    | WorkerThawed
    | InputOpening
    | InputEnding
    | InputCut
    | TimePassed
    | ClockMoved
    | Measured
    | Cleaned
)
