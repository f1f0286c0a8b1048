"""The types of the API's responses: a job as clients see it, log lines, deliveries, health and errors.

Decoding ignores unknown fields, so that an older client can read a newer daemon. Times are RFC 3339 texts in UTC, durations are
seconds.
"""

from typing import Any, Literal

import msgspec

UNREADABLE = "unreadable"
"""The status of a job whose stored record is damaged: jobd can only delete it."""
Status = Literal["accepted", "running", "completed", "failed", "cancelled"]
Phase = Literal["queued", "pulling", "inputs", "running", "outputs", "done"]
Stream = Literal["stdout", "stderr"]

TERMINAL: frozenset[str] = frozenset({"completed", "failed", "cancelled"})


class View(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """Base of the responses: camelCase names, defaults left out."""


class Accepted(View, frozen=True, kw_only=True):
    """202 of `POST /v1/jobs` and of `POST /v1/jobs/{id}/cancel`."""

    id: str
    status: str
    uid: str | None = None


class ArtifactView(View, frozen=True, kw_only=True):
    """One artifact and its result; `pending` until its end. `job`: the earlier job whose files it takes."""

    id: str
    type: str
    status: Literal["pending", "success", "failed", "skipped"]
    error: str | None = None
    bytes: int | None = None
    done_bytes: int | None = None
    job: str | None = None


class OutputView(View, frozen=True, kw_only=True):
    """One output that the client fetches: `present` in the workspace, `kept` by jobd (`bytes`: the size of its tar), `missing` or
    `not-kept` with an `error`; `pending` until the command has succeeded.
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
    """The worker's limits: cores, MiB, processes, seconds, and the number of its GPUs."""

    cpu: float
    memory: int
    pids: int
    timeout_seconds: int
    gpus: int | Literal["all"] = 0


class UsageView(View, frozen=True, kw_only=True):
    """The worker's resource usage as measured while the worker ran: seconds of CPU, and the peak of memory in bytes."""

    cpu_seconds: float
    memory_peak_bytes: int


class DependencyView(View, frozen=True, kw_only=True):
    """A job that must end before this one starts: completed, failed, or at all (`any`)."""

    job: str
    on: str = "completed"


class JobView(View, frozen=True, kw_only=True):
    """A job. `status` and `id` are always present. `exit_code` is absent while unknown; `reason` is a kebab-case code of a failure.
    `waiting_for` is a text that says what the job waits for now. `priority` is the present one; absent for 0, as is `group` for the
    group `default`. `gpu_devices`: the GPUs that the job holds, or held. `paused`: the job does not start, or its worker stands still,
    since a user has paused the job, its running group or all running jobs. `paused_seconds`: for how long the worker of the present attempt
    has stood still, to which no time limit applies; absent if it has not. `retried_from`: the id of the job that this one runs anew.
    """

    id: str
    status: str
    uid: str = ""
    exit_code: int | None = None
    error: str | None = None
    phase: str = ""
    reason: str | None = None
    waiting_for: str | None = None
    paused: bool = False
    paused_seconds: float | None = None
    queue_position: int | None = None
    priority: int = 0
    group: str = "default"
    set: str = ""
    after: list[DependencyView] = []
    image: str = ""
    image_digest: str | None = None
    command: str | list[str] | None = None
    meta: dict[str, str] = {}
    labels: dict[str, str] = {}
    owner: str | None = None
    cancelled_by: str | None = None
    cancel_reason: str | None = None
    limits: LimitsView | None = None
    gpu_devices: list[str] = []
    usage: UsageView | None = None
    artifacts: list[ArtifactView] = []
    retried_from: str | None = None
    outputs: list[OutputView] = []
    attempts: list[AttemptView] = []
    created_at: str | None = None
    started_at: str | None = None
    finished_at: str | None = None
    files_until: str | None = None


class JobList(View, frozen=True, kw_only=True):
    """One page, newest first; `next` is the cursor of the next page. `jobs` is always present."""

    jobs: list[JobView]
    next: str | None = None


class GroupView(View, frozen=True, kw_only=True):
    """A group of jobs. `limit`: how many of its jobs may run at once, absent where there is no limit; `paused`: none may start.
    `running_paused`: its running jobs are paused too; `temporary`: jobd removes the settings an hour after the last job.
    """

    name: str
    running: int
    waiting: int
    limit: int | None = None
    paused: bool = False
    running_paused: bool = False
    temporary: bool = False


class QueueView(View, frozen=True, kw_only=True):
    """The queue. `limit`: how many jobs may run at once; `paused`: no job of any group may start; `groups`: those with settings or jobs.
    `running_paused`: the running jobs are paused too.
    """

    limit: int
    running: int
    waiting: int
    groups: list[GroupView]
    paused: bool = False
    running_paused: bool = False


class LogLine(View, frozen=True, kw_only=True):
    """One line of the worker's output, without its newline; `seq` counts from 1 over both streams. `gap` says why lines before this one
    were lost.

    The worker's bytes are `raw`, or the UTF-8 of `line` where there is no `raw`, followed by a newline unless the line is `partial`
    or `unterminated`.
    """

    seq: int
    time: str
    stream: str
    line: str
    gap: str | None = None
    partial: bool = False
    """True where a very long line continues in the next entry of its stream, and for a `gap` without a line."""
    raw: bytes | None = None
    """The line's bytes, in base64, if they are no UTF-8: then `line` has U+FFFD for the invalid bytes."""
    unterminated: bool = False
    """True where the stream has ended with this line without a newline."""


class Unfinished(View, frozen=True, kw_only=True):
    """The bytes of `stream` after its last newline: `at` is their offset from the end of the stream's last line before this frame. The
    line that later ends contains these bytes again.
    """

    stream: str
    at: int
    raw: bytes


class LogUnfinished(msgspec.Struct, frozen=True, kw_only=True):
    """A frame between the lines of a log, if the client requests `unfinished`; it has no number, and jobd sends it once."""

    unfinished: Unfinished


class End(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The job's end; all three fields are always present, null where they do not apply."""

    status: str
    exit_code: int | None = None
    reason: str | None = None


class LogEnd(msgspec.Struct, frozen=True, kw_only=True):
    """The last frame of a log; without `follow` only if the job has ended."""

    end: End


class DeliveryView(View, frozen=True, kw_only=True):
    """The delivery of one event. `state`: pending, delivered, parked (jobd has given it up) or abandoned (the receiver responded 410)."""

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
    """202 of `POST /v1/jobs/{id}/deliveries/replay`: the number of deliveries that are pending again."""

    replayed: int


class Health(View, frozen=True, kw_only=True):
    """`/livez` and `/readyz`. Each check is `healthy` or a text that names the problem."""

    status: Literal["healthy", "unhealthy"]
    checks: dict[str, str]


class Version(View, frozen=True, kw_only=True):
    """`GET /v1/version`: the daemon, its engine and its settings; `jobctl version` and `jobctl doctor` show it."""

    version: str
    instance: str
    engine: dict[str, Any] = {}
    sidecar_image: str = ""
    sidecar_image_present: bool | None = None
    state_dir: str = ""
    max_concurrent_jobs: int = 0
    warnings: list[str] = []
    """Texts about problems that need the operator; empty where there are none."""
    remedies: dict[str, list[str]] = {}
    """What helps, with the tools of this daemon's engine, by what is wrong; `{image}` and `{id}` are to be filled in."""


class Kept(View, frozen=True, kw_only=True):
    """A number of objects and their size; `bytes` is None where the size is unknown."""

    count: int
    bytes: int | None = None


class Disk(View, frozen=True, kw_only=True):
    """`GET /v1/disk`: the disk usage of jobd's data; `jobctl doctor` shows it. Sizes in bytes.

    `containers` and `volumes` are those of this jobd on the engine, None where the engine did not respond in time.
    """

    state_dir: str
    free_bytes: int
    database_bytes: int
    uploads: Kept
    outputs: Kept | None = None
    containers: Kept | None = None
    volumes: Kept | None = None


class Error(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Any error response. `code` is kebab-case and stable; `field` is the path of a field in the request."""

    error: str
    code: str
    field: str | None = None
