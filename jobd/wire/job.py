"""The job spec, the body of `POST /v1/jobs`: fields, types and defaults. `validation/` checks the values.

Source: man/job.5, "FIELDS".
"""

from typing import Literal

import msgspec

from jobd.wire.artifact import Artifact
from jobd.wire.container import (
    DEFAULT_STOP_S,
    DEFAULT_STOP_SIGNAL,
    Device,
    Mount,
    Port,
    StopSignal,
    Ulimit,
)

DEFAULT_CPU = 1.0
DEFAULT_MEMORY_MB = 512
DEFAULT_TIMEOUT_S = 1800
DEFAULT_WORKSPACE = "/workspace"
DEFAULT_PIDS = 4096
DEFAULT_GROUP = "default"
SECRETS_FOLDER = "/run/secrets"

Pull = Literal["missing", "always", "never"]

CAPABILITIES = frozenset(
    """
    AUDIT_CONTROL AUDIT_READ AUDIT_WRITE BLOCK_SUSPEND BPF CHECKPOINT_RESTORE CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER
    FSETID IPC_LOCK IPC_OWNER KILL LEASE LINUX_IMMUTABLE MAC_ADMIN MAC_OVERRIDE MKNOD NET_ADMIN NET_BIND_SERVICE
    NET_BROADCAST NET_RAW PERFMON SETFCAP SETGID SETPCAP SETUID SYSLOG SYS_ADMIN SYS_BOOT SYS_CHROOT SYS_MODULE SYS_NICE
    SYS_PACCT SYS_PTRACE SYS_RAWIO SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG WAKE_ALARM
    """.split()  # noqa: SIM905 - a list of them would fill the page
)
"""The names in `capAdd` and `capDrop`. Source: capabilities(7)."""
ALL_CAPABILITIES = "ALL"

RETRY_REASONS = frozenset(
    {
        "exit-code",
        "timeout",
        "oom-killed",
        "lost",
        "start-failed",
        "image-not-found",
        "input-failed",
        "refused-by-engine",
        "engine-error",
    }
)
"""The reasons in `retryOn`: the ways in which an attempt can fail before its outputs."""


Gpus = int | Literal["all"]
"""How many GPUs a job holds alone while it runs."""


class Callback(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The receiver of a job's events: jobd POSTs the types in `events` (empty: all) to `url`, signed with `key`: one key, or
    several during a rotation (`whsec_new whsec_old`). `batch`: pending events are sent as one array. `normal.py` removes a
    callback without a `url`.
    """

    url: str = ""
    events: list[str] = []
    key: str | None = None
    batch: bool = False

    def __repr__(self) -> str:
        key = "***" if self.key else None
        return f"Callback(url={self.url!r}, events={self.events!r}, key={key}, batch={self.batch})"

    def wants(self, event_type: str) -> bool:
        """Returns whether events of this type pass the filter."""
        return not self.events or event_type in self.events


class Output(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A file or folder at `path` in the workspace that the client fetches after the job's end. If the command succeeds and an output is
    missing, the job's reason is `output-failed`. `keep`: jobd keeps a copy as long as the job's record, beyond the workspace's removal.
    """

    path: str
    keep: bool = False


Condition = Literal["completed", "any", "failed"]


class Dependency(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """An earlier job that must end before this one starts: `completed`, `failed`, or at all (`any`). If `job` ends otherwise, this job
    ends as `cancelled` with the reason `dependency`.
    """

    job: str
    on: Condition = "completed"


class JobSpec(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, rename="camel"
):
    """One job as a client requests it, in the normal form of `normal.py`: defaults are filled in.

    Units: `cpu` in cores, `memory` in MB (MiB, as the engine counts), `timeout_seconds` from the worker's start.
    `command` as text is a shell line that replaces the entrypoint; as a list it is the entrypoint's arguments.
    `retries`: the number of further attempts after a failure; `retry_on` limits them to these exit codes or reasons (empty: any).
    `read_only`: the worker can write only to its workspace and to a `/tmp` in memory. Capabilities have their names of
    capabilities(7) without `CAP_`; the daemon's settings must allow those in `cap_add`. `secrets`: name -> content of a file in
    /run/secrets; a stored spec has only the names. `priority`: waiting jobs with a higher one start first; the operator may limit how
    many jobs of a `group` run at once. `set`: the name of the set that the job belongs to, empty for none.
    `stdin`: the worker has a standard input, which a client of the attach endpoint feeds. `tty`: the worker has a terminal. `attach`: the
    worker starts once such a client is attached, or after a bounded wait.
    `init`: the command is a child of a small init, so that signals without a handler end the command. `working_dir`: the worker's working
    directory, empty for the workspace. `tmpfs`: path -> mount options. `shm_size` in MB, 0 for the engine's own. `network`: empty for
    jobd's own. `extra_hosts`: entries `name:address` of the worker's hosts file.
    """

    id: str
    image: str
    meta: dict[str, str] = {}
    command: str | list[str] | None = None
    entrypoint: list[str] | None = None
    cpu: float = DEFAULT_CPU
    memory: int = DEFAULT_MEMORY_MB
    environment: dict[str, str] = {}
    timeout_seconds: int = DEFAULT_TIMEOUT_S
    workspace: str = DEFAULT_WORKSPACE
    artifacts: list[Artifact] = []
    outputs: list[Output] = []
    callback: Callback | None = None
    labels: dict[str, str] = {}
    pids: int = DEFAULT_PIDS
    user: str | None = None
    pull: Pull = "missing"
    platform: str | None = None
    runtime: str | None = None
    read_only: bool = False
    cap_drop: list[str] = []
    cap_add: list[str] = []
    secrets: dict[str, str] = {}
    retries: int = 0
    retry_on: list[int | str] = []
    priority: int = 0
    group: str = DEFAULT_GROUP
    set: str = ""
    after: list[Dependency] = []
    gpus: Gpus = 0
    stdin: bool = False
    tty: bool = False
    attach: bool = False
    init: bool = True
    stop_signal: StopSignal = DEFAULT_STOP_SIGNAL
    stop_timeout_seconds: int = DEFAULT_STOP_S
    working_dir: str = ""
    mounts: list[Mount] = []
    tmpfs: dict[str, str] = {}
    shm_size: int = 0
    hostname: str = ""
    network: str = ""
    ports: list[Port] = []
    extra_hosts: list[str] = []
    dns: list[str] = []
    ulimits: list[Ulimit] = []
    devices: list[Device] = []

    @property
    def cpu_cores(self) -> float:
        """The worker's CPU limit in cores, with the default applied."""
        return self.cpu or DEFAULT_CPU

    @property
    def memory_mb(self) -> int:
        """The worker's memory limit in MiB, with the default applied."""
        return self.memory or DEFAULT_MEMORY_MB

    @property
    def timeout_s(self) -> int:
        """The worker's time limit in seconds, with the default applied."""
        return self.timeout_seconds or DEFAULT_TIMEOUT_S

    @property
    def pids_limit(self) -> int:
        """The worker's process limit, with the default applied."""
        return self.pids or DEFAULT_PIDS

    @property
    def is_interactive(self) -> bool:
        """Returns whether a client takes part in the run: the job then has one attempt, since nobody keeps what the client sends."""
        return self.stdin or self.tty or self.attach

    @property
    def needs_sidecar(self) -> bool:
        """Returns whether the job needs a sidecar: to move files, to write secrets, to make the workspace of a read-only worker, into
        whose root file system the engine cannot copy, or to give its files without its mounts, which the engine would follow links into.
        """
        return bool(self.artifacts) or self.read_only or bool(self.secrets) or bool(self.mounts)

    @property
    def has_own_network(self) -> bool:
        """Returns whether the worker has another network than other jobs, or one that is set up in another way."""
        return bool(self.network or self.ports or self.extra_hosts or self.dns or self.hostname)

    def __repr__(self) -> str:
        return f"JobSpec(id={self.id!r}, image={self.image!r}, ...)"
