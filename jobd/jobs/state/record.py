"""A job's record: everything that must survive a crash, as one immutable value.

Owns the fields and their stored form (JSON that tolerates unknown fields, so that an older daemon can read a newer record).
The spec is stored beside the record, not in it: it is large and never changes. How a record changes is in `machine.py`.
"""

import secrets
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from jobd.jobs.port.model import LOG_START, LogCursor
from jobd.wire.artifact import after_job, kind_of
from jobd.wire.job import JobSpec
from jobd.wire.view import TERMINAL, Phase, Status

Desired = Literal["run", "cancel", "delete"]
ArtifactStatus = Literal["pending", "success", "failed", "skipped"]


class ArtifactState(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How one artifact went. `moved` is the progress of a transfer that is under way, in bytes."""

    status: ArtifactStatus = "pending"
    error: str | None = None
    bytes: int | None = None
    moved: int | None = None
    optional: bool = False


class OutputState(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How one output that the client fetches was found; `bytes` is the size of its tar where it is kept."""

    status: Literal["pending", "present", "kept", "missing", "not-kept"] = "pending"
    bytes: int | None = None
    error: str | None = None


class Attempt(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One attempt that has failed and is being repeated."""

    number: int
    reason: str
    error: str | None = None
    exit_code: int | None = None
    started_at: datetime | None = None
    exited_at: datetime | None = None


class Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is known and wished of one job. Times are aware UTC; `*_s` are seconds.

    `worker_over`: the worker's end is known (its code in `exit_code`, or None). `start_intended_at` is committed before the
    engine is asked to start the worker, so that a start whose answer was lost is never repeated. `unstarted`: the container whose
    start was asked for and seems not to have happened; it is to be removed unless it has run. `exit_announced`: the log is
    complete and the exit event is stored. `leftovers`: the containers of the attempt before are still to be removed.
    `collecting`: the outputs that the client fetches are being looked for, `collected`: they were; `outputs` has how, by path.
    `unread_report`: what to tell of a report that could not be read once the outputs are over.
    `log_incomplete`: the end of the attempt's log could not be read, and a mark in the stored log says so.
    `boot`, `clock_offset`: the clock that the times which are waited for were written by (`jobd/clock.py`). `version` counts
    the stored changes, over attempts too. `engine_error_s`: for how long the engine has answered the action `engine_error_in` with
    errors, counted while jobd and the engine ran. `image`: as the spec names it, for who has no use for the whole spec; empty in records
    of older versions.
    """

    uid: str
    id: str
    created_at: datetime
    version: int = 0
    image: str = ""
    engine_error_s: float = 0.0
    engine_error_in: str = ""
    owner: str | None = None
    spec_digest: str = ""
    has_spool: bool = False
    token: str = ""

    status: Status = "accepted"
    phase: Phase = "queued"
    reason: str | None = None
    error: str | None = None
    attempt: int = 1
    earlier: list[Attempt] = []
    retry_at: datetime | None = None
    leftovers: bool = False

    desired: Desired = "run"
    cancelled_by: str | None = None
    cancel_why: str | None = None
    stop_signal: str = "SIGTERM"
    grace_s: float = 10.0
    stop_sent_at: datetime | None = None
    kill_sent: bool = False

    admitted_at: datetime | None = None
    phase_since: datetime | None = None
    image_id: str | None = None
    image_digest: str | None = None
    image_user: str | None = None
    worker_id: str | None = None
    sidecar_id: str | None = None
    worker_uid: int = 0
    worker_gid: int = 0
    sidecar_intended_at: datetime | None = None
    sidecar_runs: int = 0
    report_n: int = 0
    unread_report: str | None = None
    inputs_ready: bool = False

    start_intended_at: datetime | None = None
    unstarted: Literal["worker", "sidecar"] | None = None
    started_at: datetime | None = None
    exited_at: datetime | None = None
    deadline: datetime | None = None
    timed_out: bool = False
    worker_over: bool = False
    exit_code: int | None = None
    oom_killed: bool = False
    exit_announced: bool = False
    cpu_s: float | None = None
    memory_peak_bytes: int | None = None

    outputs_told_at: datetime | None = None
    outputs_heard: bool = False
    outputs_failed: list[str] = []
    artifacts: dict[str, ArtifactState] = {}
    collecting: bool = False
    collected: bool = False
    outputs: dict[str, OutputState] = {}

    events: int = 0
    sequence: int = 0
    log_seq: int = 0
    log_bytes: int = 0
    log_full: bool = False
    log_announced: int | None = None
    log_cursors: LogCursor = LOG_START
    log_incomplete: bool = False
    start_announced: bool = False

    boot: str = ""
    clock_offset: float = 0.0

    finished_at: datetime | None = None
    cleaned: bool = False
    cleaned_at: datetime | None = None

    @property
    def announced_seq(self) -> int:
        """The last line of the log that is in an event; None in the record, as older versions wrote it, means all are."""
        return self.log_seq if self.log_announced is None else self.log_announced

    @property
    def ended(self) -> bool:
        """True once the status is final."""
        return self.status in TERMINAL


def new_record(
    spec: JobSpec,
    *,
    now: datetime,
    owner: str | None,
    digest: str,
    has_spool: bool,
    boot: str = "",
    clock_offset: float = 0.0,
) -> Record:
    """Returns the record of a job that was just submitted. Its `uid` sorts by time and is unique."""
    return Record(
        uid=f"{int(now.timestamp() * 1000):012x}{secrets.token_hex(6)}",
        id=spec.id,
        created_at=now,
        image=spec.image,
        owner=owner,
        spec_digest=digest,
        has_spool=has_spool,
        token=secrets.token_urlsafe(24),
        phase_since=now,
        boot=boot,
        clock_offset=clock_offset,
        artifacts={a.id: ArtifactState(optional=bool(getattr(a, "optional", False))) for a in spec.artifacts},
    )


def purged(record: Record) -> Record:
    """Returns the record of a job whose row is gone: nothing of it is shown, and nothing is left to do."""
    status: Status = record.status if record.ended else "cancelled"
    return msgspec.structs.replace(
        record, status=status, phase="done", desired="delete", cleaned=True, log_announced=None
    )


def has_outputs(spec: JobSpec) -> bool:
    """True where an artifact runs after the job."""
    return bool(after_job(spec.artifacts))


def sidecar_waits(spec: JobSpec) -> bool:
    """True where the sidecar goes on while the worker runs: for its outputs, or since the secrets' memory lives by it."""
    return has_outputs(spec) or bool(spec.secrets)


def artifact_type(spec: JobSpec, artifact_id: str) -> str | None:
    """Returns the type of the spec's artifact, or None where there is none of that id."""
    return next((kind_of(a) for a in spec.artifacts if a.id == artifact_id), None)


def event_exit_code(code: int | None) -> int:
    """Returns an exit code as events tell it: the engine's, or -1 where there is none (the worker never ran, or its code is lost)."""
    return -1 if code is None else code


def seconds_between(start: datetime | None, end: datetime | None) -> float | None:
    """Returns the seconds from `start` to `end`, or None where one is not known; never negative."""
    if start is None or end is None:
        return None
    return max(0.0, round((end - start) / timedelta(seconds=1), 6))


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Record)


def encode_record(record: Record) -> bytes:
    """Returns the stored form."""
    return _encoder.encode(record)


def decode_record(data: bytes) -> Record:
    """Returns the record of a stored form. Raises msgspec.DecodeError."""
    return _decoder.decode(data)
