"""What can happen to a job. Pure data; `machine.py` decides what a fact changes.

A fact is something that has happened and that jobd has seen. What a state asks for next is in `actions.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from jobd.jobs.port.model import Created, ImageFacts, Observation, Role, Usage
from jobd.jobs.state.parts import STOP_SIGNAL, OutputState
from jobd.wire.report import Heading, Report


@dataclass(frozen=True, slots=True)
class Admitted:
    """The queue gave the job a place."""


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
    """The job cannot be set up, and another try would fail too. `reason` is a kebab code."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class EngineErred:
    """The engine answered this action with an error that may pass. `seen_s`: the seconds since the error answer before, counted by this
    process; `limit_s`: for how long the action is asked for again.
    """

    action: str
    message: str
    seen_s: float
    limit_s: float


@dataclass(frozen=True, slots=True)
class EngineAnswered:
    """The engine has done what this action asked for."""

    action: str


@dataclass(frozen=True, slots=True)
class SidecarStarting:
    """The sidecar is about to be started. Recorded before the start: a sidecar that was started is not started again."""


@dataclass(frozen=True, slots=True)
class WorkerStarting:
    """The worker is about to be started. Recorded before the start: a start without an answer is never repeated."""


@dataclass(frozen=True, slots=True)
class WorkerStartFailed:
    """The engine said that the worker did not start. `exit_code`: as `StartFailed` has it."""

    exit_code: int | None
    message: str


@dataclass(frozen=True, slots=True)
class NeverStarted:
    """A container whose start was asked for is removed: the container has not run and never will."""

    role: Role


@dataclass(frozen=True, slots=True)
class Observed:
    """The containers were observed. `reports_drained`: every report of an ended sidecar has been handled before this."""

    observation: Observation
    reports_drained: bool = False


@dataclass(frozen=True, slots=True)
class Reported:
    """The sidecar made a report. `order_given`: the sidecar was handed its whole order. `all_read`: the report was read from the sidecar's
    own output, where each artifact's report stands before the report that ends its phase.
    """

    report: Report
    order_given: bool = True
    all_read: bool = False


@dataclass(frozen=True, slots=True)
class ReportUnread:
    """The sidecar printed a report that cannot be read. `why` quotes the line; `heading` is what the line's beginning still tells."""

    why: str
    heading: Heading


@dataclass(frozen=True, slots=True)
class OutputsTold:
    """The signal that the worker has ended was sent to the sidecar."""


@dataclass(frozen=True, slots=True)
class OutputsCollected:
    """The outputs that the client fetches were looked for, by path. `reason`: why they are not where they belong, a kebab code."""

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
    """A user wants the job to end; with `delete`, to be gone as well. `signal`: the first signal that the worker gets."""

    by: str
    grace_s: float
    delete: bool
    why: str | None = None
    signal: str = STOP_SIGNAL


@dataclass(frozen=True, slots=True)
class TimePassed:
    """A moment has come that `next_action` asked to be woken at."""


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
    """No container or volume of the job is left."""


Fact = (
    Admitted
    | ImageReady
    | Prepared
    | SetupFailed
    | EngineErred
    | EngineAnswered
    | SidecarStarting
    | WorkerStarting
    | WorkerStartFailed
    | NeverStarted
    | Observed
    | Reported
    | ReportUnread
    | OutputsTold
    | OutputsCollected
    | LogsDrained
    | StopSent
    | CancelRequested
    | TimePassed
    | ClockMoved
    | Measured
    | Cleaned
)
