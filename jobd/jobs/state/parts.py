"""What a job's record is made of: small values, each about one thing. Pure data.

Owns these values; which of them a job has in which phase is in `states.py`. Times are aware UTC; `*_s` are seconds.
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
    """What all parts share: a change makes a new value."""

    def change(self, **fields: Any) -> Self:
        """Returns the same with these fields."""
        return msgspec.structs.replace(self, **fields)


class Failure(Part, frozen=True, kw_only=True):
    """Why a job, or an attempt, does not succeed. `reason` is a kebab code, `error` is for people."""

    reason: str
    error: str | None = None


class CancelRequest(Part, frozen=True, kw_only=True):
    """A user's request that a job ends; with `delete`, that it goes as well, which may be asked of a job that has ended.

    `signal`: what the worker gets first; SIGKILL follows after `grace_s`.
    """

    delete: bool = False
    by: str | None = None
    why: str | None = None
    signal: str = STOP_SIGNAL
    grace_s: float = DEFAULT_GRACE_S


class ClockMark(Part, frozen=True, kw_only=True):
    """The clock (`jobd/clock.py`) by which the awaited times of a record were written."""

    boot: str = ""
    offset: float = 0.0


class EventCounts(Part, frozen=True, kw_only=True):
    """How many events the job has, and how many of them have a number for the receiver. `started`: the start event is among them."""

    count: int = 0
    sequence: int = 0
    started: bool = False


class LogState(Part, frozen=True, kw_only=True):
    """The job's stored log, which goes on over attempts. `announced`: the number of the last line that is in an event."""

    seq: int = 0
    size_bytes: int = 0
    is_full: bool = False
    announced: int = 0


class LogReading(Part, frozen=True, kw_only=True):
    """How far the log of an attempt's worker was read. `incomplete`: the log's end could not be read, and a mark in the stored log says so."""

    cursor: LogCursor = LOG_START
    incomplete: bool = False


class ArtifactState(Part, frozen=True, kw_only=True):
    """How one artifact went. `moved` is the progress of a transfer that is under way, in bytes."""

    status: ArtifactStatus = "pending"
    error: str | None = None
    bytes: int | None = None
    moved: int | None = None
    optional: bool = False


class OutputState(Part, frozen=True, kw_only=True):
    """How one output that the client fetches was found; `bytes` is the size of its tar where it is kept."""

    status: OutputStatus = "pending"
    bytes: int | None = None
    error: str | None = None


class FailedAttempt(Part, frozen=True, kw_only=True):
    """An attempt that has failed and was followed by another one."""

    number: int
    reason: str
    error: str | None = None
    exit_code: int | None = None
    started_at: datetime | None = None
    exited_at: datetime | None = None


class PendingRetry(Part, frozen=True, kw_only=True):
    """When an attempt after the first is due. `leftovers`: the containers of the attempt before are still to be removed."""

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
    """The local image that the worker is made of."""

    id: str
    user: str | None = None


class WorkerContainer(Part, frozen=True, kw_only=True):
    """The worker's container, and as whom it runs."""

    id: str
    uid: int = 0
    gid: int = 0


class Setup(Part, frozen=True, kw_only=True):
    """What an admitted attempt has: its image once that is local, its containers once they are made. Without a `worker` the containers are
    to be made, for the first time or again. `sidecar_runs`: how many sidecars were started, without those that something else ended.
    """

    admitted_at: datetime
    image: Image | None = None
    worker: WorkerContainer | None = None
    sidecar_id: str | None = None
    sidecar_runs: int = 0


class SidecarRun(Part, frozen=True, kw_only=True):
    """A sidecar whose start was asked for. `in_doubt`: the start seems not to have happened; the container is removed, unless it has run.

    `report_n`: the number of the last report that was taken. `outputs_begun`: the sidecar reported that it moves the files out. `unread`:
    why a report could not be read; told when the outputs are over.
    """

    asked_at: datetime
    in_doubt: bool = False
    report_n: int = 0
    outputs_begun: bool = False
    unread: str | None = None


class WorkerUsage(Part, frozen=True, kw_only=True):
    """What the worker used, as far as it was measured."""

    cpu_s: float
    memory_peak_bytes: int


class Starting(Part, frozen=True, kw_only=True, tag="starting"):
    """The worker's start was asked for, and is not confirmed. Stored before the start is asked for, so that a start without an answer is
    never repeated. `in_doubt`: as in `SidecarRun`.
    """

    asked_at: datetime
    in_doubt: bool = False
    stop: Stop | None = None


class Started(Part, frozen=True, kw_only=True, tag="started"):
    """The worker has begun to run, and its end is not known. `timed_out`: the deadline has passed."""

    asked_at: datetime
    started_at: datetime
    deadline: datetime
    timed_out: bool = False
    stop: Stop | None = None
    usage: WorkerUsage | None = None


class Ended(Part, frozen=True, kw_only=True, tag="ended"):
    """The worker whose start was asked for has ended, or never will run. `exit_code`: None where the code is not known."""

    asked_at: datetime
    started_at: datetime | None = None
    exited_at: datetime | None = None
    exit_code: int | None = None
    oom_killed: bool = False
    timed_out: bool = False
    usage: WorkerUsage | None = None


@overload
def ended(worker: Starting | Started) -> Ended: ...
@overload
def ended(worker: Starting | Started | Ended | None) -> Ended | None: ...
def ended(worker: Starting | Started | Ended | None) -> Ended | None:
    """Returns what is left of a worker that does not run any more; None where its start was never asked for."""
    match worker:
        case Starting(asked_at=asked_at):
            return Ended(asked_at=asked_at)
        case Started():
            return Ended(
                asked_at=worker.asked_at,
                started_at=worker.started_at,
                timed_out=worker.timed_out,
                usage=worker.usage,
            )
        case _:
            return worker


class Removal(Part, frozen=True, kw_only=True):
    """The containers and the volume of an ended job are gone; `at` is None in records of older versions."""

    at: datetime | None = None
