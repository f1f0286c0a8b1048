"""A record as jobd up to 0.1 stored it (form 1). Pure data; only `record_upgrade.py` reads these records."""

from datetime import datetime
from typing import Literal

import msgspec

from jobd.jobs.port.model import LOG_START, LogCursor
from jobd.jobs.record.parts import (
    DEFAULT_GRACE_S,
    STOP_SIGNAL,
    ArtifactState,
    FailedAttempt,
    OutputState,
)
from jobd.wire.views.job import Phase, Status


class FlatRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Form 1: every field of every phase, side by side."""

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
    earlier: list[FailedAttempt] = []
    retry_at: datetime | None = None
    leftovers: bool = False

    desired: Literal["run", "cancel", "delete"] = "run"
    cancelled_by: str | None = None
    cancel_why: str | None = None
    stop_signal: str = STOP_SIGNAL
    grace_s: float = DEFAULT_GRACE_S
    stop_sent_at: datetime | None = None
    kill_sent: bool = False

    admitted_at: datetime | None = None
    phase_since: datetime | None = None
    image_id: str | None = None
    image_digest: str | None = None
    worker_id: str | None = None
    sidecar_id: str | None = None
    sidecar_intended_at: datetime | None = None
    sidecar_runs: int = 0
    report_n: int = 0
    unread_report: str | None = None

    start_intended_at: datetime | None = None
    unstarted: Literal["worker", "sidecar"] | None = None
    started_at: datetime | None = None
    exited_at: datetime | None = None
    deadline: datetime | None = None
    timed_out: bool = False
    worker_over: bool = False
    exit_code: int | None = None
    oom_killed: bool = False
    cpu_s: float | None = None
    memory_peak_bytes: int | None = None

    outputs_told_at: datetime | None = None
    outputs_heard: bool = False
    outputs_failed: list[str] = []
    artifacts: dict[str, ArtifactState] = {}
    collecting: bool = False
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
