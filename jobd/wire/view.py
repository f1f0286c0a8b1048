"""What the API answers: a job as clients see it, its log lines, deliveries, health and errors.

Owns the shapes alone. They are tolerant of unknown fields, so that an older client reads a newer daemon.
Times are RFC 3339 texts in UTC, durations are seconds.

Source: jobd/api/routes.py.
"""

from typing import Any, Literal

import msgspec

UNREADABLE = "unreadable"
"""The status of a job whose stored record is damaged: nothing is known of it but that it is there. It can be deleted."""
Status = Literal["accepted", "running", "completed", "failed", "cancelled"]
Phase = Literal["queued", "pulling", "inputs", "running", "outputs", "done"]
Stream = Literal["stdout", "stderr"]

TERMINAL: frozenset[str] = frozenset({"completed", "failed", "cancelled"})


class View(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """What all answers share: camelCase names, defaults left out."""


class Accepted(View, frozen=True, kw_only=True):
    """202 of `POST /v1/jobs`."""

    id: str
    status: str
    uid: str | None = None


class ArtifactView(View, frozen=True, kw_only=True):
    """One artifact and how it went; `pending` until it has been tried."""

    id: str
    type: str
    status: Literal["pending", "success", "failed", "skipped"]
    error: str | None = None
    bytes: int | None = None
    done_bytes: int | None = None


class OutputView(View, frozen=True, kw_only=True):
    """One output that the client fetches: `present` in the workspace, `kept` by jobd (`bytes`: the size of its tar), `missing`, or
    `not-kept`, and why; `pending` until the command has succeeded.
    """

    path: str
    status: Literal["pending", "present", "kept", "missing", "not-kept"]
    bytes: int | None = None
    error: str | None = None


class AttemptView(View, frozen=True, kw_only=True):
    """One run of the worker."""

    number: int
    exit_code: int | None = None
    reason: str | None = None
    started_at: str | None = None
    finished_at: str | None = None


class LimitsView(View, frozen=True, kw_only=True):
    """The limits that hold for the worker: cores, MiB, processes, seconds."""

    cpu: float
    memory: int
    pids: int
    timeout_seconds: int


class UsageView(View, frozen=True, kw_only=True):
    """What the worker used, as far as it was measured while it ran: seconds of CPU, the most memory at once in bytes."""

    cpu_seconds: float
    memory_peak_bytes: int


class JobView(View, frozen=True, kw_only=True):
    """A job. `exit_code` is absent while unknown; `reason` is a kebab code once there is one to give.

    `status` and `id` are always present. `waiting_for` says in words what the job waits for now.
    """

    id: str
    status: str
    uid: str = ""
    exit_code: int | None = None
    error: str | None = None
    phase: str = ""
    reason: str | None = None
    waiting_for: str | None = None
    queue_position: int | None = None
    image: str = ""
    image_digest: str | None = None
    command: str | list[str] | None = None
    meta: dict[str, str] = {}
    labels: dict[str, str] = {}
    owner: str | None = None
    cancelled_by: str | None = None
    cancel_reason: str | None = None
    limits: LimitsView | None = None
    usage: UsageView | None = None
    artifacts: list[ArtifactView] = []
    outputs: list[OutputView] = []
    attempts: list[AttemptView] = []
    created_at: str | None = None
    started_at: str | None = None
    finished_at: str | None = None
    files_until: str | None = None


class JobList(View, frozen=True, kw_only=True):
    """One page, newest first; `next` is the cursor of the following page. `jobs` is always present."""

    jobs: list[JobView]
    next: str | None = None


class LogLine(View, frozen=True, kw_only=True):
    """One line of the worker, without its newline; `seq` counts from 1 over both streams.
    `gap` marks lines that were lost before this one and says why.

    What the worker has written is `raw`, or `line` in UTF-8 where there is no `raw`, and then a newline, unless the line is
    `partial` or `unterminated`.
    """

    seq: int
    time: str
    stream: str
    line: str
    gap: str | None = None
    partial: bool = False
    """True where a very long line was cut here and goes on in the next entry of its stream, and for a `gap` without a line."""
    raw: bytes | None = None
    """The line's bytes, in base64, where they are no UTF-8: `line` has U+FFFD for what is none."""
    unterminated: bool = False
    """True where the stream ended with this line and without a newline."""


class Unfinished(View, frozen=True, kw_only=True):
    """Bytes that the worker has written, and that no line has yet: of `stream`, from its byte `at` on, counted from the end of the
    stream's last line before this frame. The line that ends them holds them again.
    """

    stream: str
    at: int
    raw: bytes


class LogUnfinished(msgspec.Struct, frozen=True, kw_only=True):
    """A frame between the lines of a log, where `unfinished` is asked for; it has no number, and comes once."""

    unfinished: Unfinished


class End(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How the job ended; all three are always present, null where there is nothing to say."""

    status: str
    exit_code: int | None = None
    reason: str | None = None


class LogEnd(msgspec.Struct, frozen=True, kw_only=True):
    """The last frame of a log; without `follow` only when the job has ended."""

    end: End


class DeliveryView(View, frozen=True, kw_only=True):
    """One event on its way to its callback. `state`: pending, delivered, parked or abandoned (the receiver said 410)."""

    id: int
    event_id: str
    event_type: str
    state: str
    attempts: int
    job_id: str = ""
    job_uid: str = ""
    url: str = ""
    created_at: str | None = None
    next_attempt_at: str | None = None
    delivered_at: str | None = None
    last_status: int | None = None
    last_error: str | None = None


class DeliveryList(View, frozen=True, kw_only=True):
    """The deliveries of one job, oldest first."""

    deliveries: list[DeliveryView]
    next: str | None = None


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """202 of `POST /v1/jobs/{id}/deliveries/replay`: how many deliveries are pending again."""

    replayed: int


class Health(View, frozen=True, kw_only=True):
    """`/livez` and `/readyz`. Each check is `healthy` or says what is wrong."""

    status: Literal["healthy", "unhealthy"]
    checks: dict[str, str]


class Version(View, frozen=True, kw_only=True):
    """`GET /v1/version`: the daemon, its engine and how it is set up; what `jobctl version` and `doctor` show."""

    version: str
    instance: str
    engine: dict[str, Any] = {}
    sidecar_image: str = ""
    sidecar_image_present: bool | None = None
    state_dir: str = ""
    max_concurrent_jobs: int = 0
    warnings: list[str] = []
    """What the operator must look at, in words; empty where all is well."""


class Kept(View, frozen=True, kw_only=True):
    """How many things there are and how much room they take; `bytes` is None where that is not known."""

    count: int
    bytes: int | None = None


class Disk(View, frozen=True, kw_only=True):
    """`GET /v1/disk`: what jobd keeps, and where; what `jobctl doctor` shows. Sizes in bytes.

    `containers` and `volumes` are this jobd's own on the engine, None where the engine did not say in time.
    """

    state_dir: str
    free_bytes: int
    database_bytes: int
    uploads: Kept
    outputs: Kept | None = None
    containers: Kept | None = None
    volumes: Kept | None = None


class Error(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Any answer that is not a success. `code` is kebab-case and stable; `field` is a path into the spec."""

    error: str
    code: str
    field: str | None = None
