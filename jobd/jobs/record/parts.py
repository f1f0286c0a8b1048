"""The values that make up a job's record. Pure data.

`states.py` decides which values a job has in which phase. Times are aware UTC; `*_s` are seconds.
"""

from datetime import datetime
from typing import Any, Literal, Self, overload

import msgspec

from jobd.jobs.port.model import LOG_START, LogCursor

DEFAULT_GRACE_S = 10.0
STOP_SIGNAL = "SIGTERM"
ArtifactStatus = Literal["pending", "success", "failed", "skipped"]
OutputStatus = Literal["pending", "present", "kept", "missing", "not-kept"]


class Part(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The base of all parts: immutable."""

    def change(self, **fields: Any) -> Self:
        """Returns a copy with these fields."""
        return msgspec.structs.replace(self, **fields)


class Failure(Part, frozen=True, kw_only=True):
    """Why a job, or an attempt, does not succeed. `reason` is a kebab code, `error` is for people."""

    reason: str
    error: str | None = None


class RetriedFrom(Part, frozen=True, kw_only=True):
    """The ended job that a job runs anew. `uid`: the id may belong to another job later."""

    uid: str
    id: str


class CancelRequest(Part, frozen=True, kw_only=True):
    """A user's request to end a job; with `delete`, to delete the job too, even an ended job.

    `signal`: the worker's first signal; SIGKILL follows after `grace_s`.
    """

    delete: bool = False
    by: str | None = None
    why: str | None = None
    signal: str = STOP_SIGNAL
    grace_s: float = DEFAULT_GRACE_S


class StopPolicy(Part, frozen=True, kw_only=True):
    """How a worker is ended unless a cancel says otherwise: `signal` first, SIGKILL after `grace_s`."""

    signal: str = STOP_SIGNAL
    grace_s: float = DEFAULT_GRACE_S


class Caller(Part, frozen=True, kw_only=True):
    """The user at the other end of the Unix socket, by its credentials there."""

    uid: int
    gid: int


class Trace(Part, frozen=True, kw_only=True):
    """The trace that the submission is a part of, as its headers said (`jobd/wire/trace.py`)."""

    parent: str
    state: str | None = None


class ClockMark(Part, frozen=True, kw_only=True):
    """The clock (`jobd/clock.py`) by which the awaited times of a record were written."""

    boot: str = ""
    offset: float = 0.0


class EventCounts(Part, frozen=True, kw_only=True):
    """How many events the job has, and how many of them have a number for the receiver. `started`: the start event is stored."""

    count: int = 0
    sequence: int = 0
    started: bool = False


class LogState(Part, frozen=True, kw_only=True):
    """The job's stored log, which continues over attempts. `announced`: the number of the last line that is in an event."""

    seq: int = 0
    size_bytes: int = 0
    is_full: bool = False
    announced: int = 0


class LogReading(Part, frozen=True, kw_only=True):
    """How far the log of an attempt's worker was read. `incomplete`: the log's end is missing, and the stored log has a mark."""

    cursor: LogCursor = LOG_START
    incomplete: bool = False


class ArtifactState(Part, frozen=True, kw_only=True):
    """One artifact's status. `moved` is the progress of a transfer that is under way, in bytes."""

    status: ArtifactStatus = "pending"
    error: str | None = None
    bytes: int | None = None
    moved: int | None = None
    optional: bool = False


class OutputState(Part, frozen=True, kw_only=True):
    """The status of one output that the client fetches; `bytes` is the size of its tar if jobd keeps the output."""

    status: OutputStatus = "pending"
    bytes: int | None = None
    error: str | None = None


class FailedAttempt(Part, frozen=True, kw_only=True):
    """A failed attempt that another attempt followed."""

    number: int
    reason: str
    error: str | None = None
    exit_code: int | None = None
    started_at: datetime | None = None
    exited_at: datetime | None = None


class PendingRetry(Part, frozen=True, kw_only=True):
    """When an attempt after the first is due. `leftovers`: the previous attempt's containers still exist."""

    due_at: datetime
    leftovers: bool = True


class EngineErrors(Part, frozen=True, kw_only=True):
    """For how long the engine has answered an action with errors, counted while jobd and the engine ran."""

    action: str
    seconds: float


class Stop(Part, frozen=True, kw_only=True):
    """When the first stopping signal was sent; `killed`: SIGKILL was sent."""

    sent_at: datetime
    killed: bool = False


class Image(Part, frozen=True, kw_only=True):
    """The worker's local image."""

    id: str


class WorkerContainer(Part, frozen=True, kw_only=True):
    """The worker's container."""

    id: str


class Setup(Part, frozen=True, kw_only=True):
    """What an admitted attempt has: its image once pulled, its containers once created. Without a `worker` jobd must create the containers,
    for the first time or again. `sidecar_runs`: how many sidecars were started, without those that did not end by themselves. `gpus`: the devices that the attempt holds alone.
    """

    admitted_at: datetime
    image: Image | None = None
    worker: WorkerContainer | None = None
    sidecar_id: str | None = None
    sidecar_runs: int = 0
    gpus: list[str] = msgspec.field(default_factory=list)


class SidecarRun(Part, frozen=True, kw_only=True):
    """A sidecar whose start was requested. `in_doubt`: the start probably failed; jobd removes the container, unless it has run.

    `report_n`: the number of the last applied report. `outputs_begun`: the sidecar reported the start of the outputs. `unread`: why a
    report could not be read; becomes the failure at the end of the outputs.
    """

    asked_at: datetime
    in_doubt: bool = False
    report_n: int = 0
    outputs_begun: bool = False
    unread: str | None = None


class WorkerUsage(Part, frozen=True, kw_only=True):
    """The worker's measured use."""

    cpu_s: float
    memory_peak_bytes: int


class Starting(Part, frozen=True, kw_only=True, tag="starting"):
    """The worker's start was requested, and is not confirmed. Stored before the request, so that a start without an answer is never
    repeated. `in_doubt`: as in `SidecarRun`.
    """

    asked_at: datetime
    in_doubt: bool = False
    stop: Stop | None = None


class Freeze(Part, frozen=True, kw_only=True):
    """The worker's time limit stands still from `since` on: jobd freezes, or has frozen, the worker. `confirmed`: the engine has frozen
    the worker. `thaw_at`: jobd has begun to thaw the worker; the freeze lasts until then, if the engine has thawed the worker.
    """

    since: datetime
    confirmed: bool = False
    thaw_at: datetime | None = None


class FreezeRefusal(Part, frozen=True, kw_only=True):
    """The engine has refused to freeze the worker; the worker runs, and its time limit counts."""

    since: datetime
    error: str


class Started(Part, frozen=True, kw_only=True, tag="started"):
    """The worker has begun to run, and its end is not known. `timed_out`: the deadline has passed. `frozen_s`: the ended freezes together,
    by which `deadline` is later.
    """

    asked_at: datetime
    started_at: datetime
    deadline: datetime
    timed_out: bool = False
    freeze: Freeze | None = None
    freeze_refusal: FreezeRefusal | None = None
    frozen_s: float = 0.0
    stop: Stop | None = None
    usage: WorkerUsage | None = None


class Ended(Part, frozen=True, kw_only=True, tag="ended"):
    """The worker whose start was requested has ended, or never will run. `exit_code`: None if unknown."""

    asked_at: datetime
    started_at: datetime | None = None
    exited_at: datetime | None = None
    exit_code: int | None = None
    oom_killed: bool = False
    timed_out: bool = False
    frozen_s: float = 0.0
    usage: WorkerUsage | None = None


@overload
def ended(worker: Starting | Started) -> Ended: ...
@overload
def ended(worker: Starting | Started | Ended | None) -> Ended | None: ...
def ended(worker: Starting | Started | Ended | None) -> Ended | None:
    """Returns the worker as ended; None if its start was never requested."""
    match worker:
        case Starting(asked_at=asked_at):
            return Ended(asked_at=asked_at)
        case Started():
            return Ended(
                asked_at=worker.asked_at,
                started_at=worker.started_at,
                timed_out=worker.timed_out,
                frozen_s=worker.frozen_s,
                usage=worker.usage,
            )
        case _:
            return worker


class Removal(Part, frozen=True, kw_only=True):
    """The containers and the volume of an ended job are removed; `at` is None in records of older versions."""

    at: datetime | None = None
