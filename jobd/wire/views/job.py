"""The types of the API's responses about jobs: a job as clients see it, and lists of jobs."""

from typing import Literal

from jobd.wire.container import Mount, Port
from jobd.wire.views.base import View

UNREADABLE = "unreadable"
"""The status of a job whose stored record is damaged: jobd can only delete it."""
Status = Literal["accepted", "running", "completed", "failed", "cancelled"]
Phase = Literal["queued", "pulling", "inputs", "running", "outputs", "done"]

TERMINAL: frozenset[str] = frozenset({"completed", "failed", "cancelled"})


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


class PullView(View, frozen=True, kw_only=True):
    """How far the pull of the job's image is: downloaded bytes and complete layers. `bytes` and `layers` are absent where unknown."""

    done_bytes: int = 0
    bytes: int | None = None
    layers_done: int = 0
    layers: int = 0


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
    `waiting_for` is a text that says what the job waits for now; `pull`: how far the pull of its image is. `priority` is the present
    one; absent for 0, as is `group` for the group `default`. `gpu_devices`: the GPUs that the job holds, or held. `paused`: the job does not start, or its worker stands still,
    since a user has paused the job, its running group or all running jobs. `paused_seconds`: for how long the worker of the present attempt
    has stood still, to which no time limit applies; absent if it has not. `retried_from`: the id of the job that this one runs anew. `traceparent`: the
    trace that the submission was a part of. `user`, `network`, `ports`, `mounts`: as in the job spec.
    """

    id: str
    status: str
    uid: str = ""
    exit_code: int | None = None
    error: str | None = None
    phase: str = ""
    reason: str | None = None
    waiting_for: str | None = None
    pull: PullView | None = None
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
    user: str | None = None
    network: str = ""
    ports: list[Port] = []
    mounts: list[Mount] = []
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
    traceparent: str | None = None
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
