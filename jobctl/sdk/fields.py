"""The fields of a job as keyword arguments. Made by scripts/manual/python_fields.py."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypedDict


class JobFields(TypedDict, total=False):
    """The fields of a job file with `_` for a capital or a dash. A name of a flag stands for its field; give only one of them."""

    id: str | None
    """Name of the job, at most 128 letters, digits, '-' and '_'; jobctl generates one where it is absent."""
    name: str | None
    """The same as `id`."""
    meta: Mapping[str, str] | Sequence[str] | None
    """Texts that every event contains, at most 32."""
    sh: str | None
    """The same as `command`."""
    entrypoint: str | Sequence[str] | None
    """Program and first arguments, instead of the image's own."""
    cpu: float | None
    """Limit in cores, at most the daemon's MAX_CPUS (64); 0 is the default."""
    cpus: float | None
    """The same as `cpu`."""
    memory: int | str | None
    """Limit in MB, 6 to the daemon's MAX_MEMORY (65536); 0 is the default."""
    environment: Mapping[str, str] | Sequence[str] | None
    """Environment variables of the command."""
    env: Mapping[str, str] | Sequence[str] | None
    """The same as `environment`."""
    timeout_seconds: int | str | None
    """Time limit of the command in seconds, at most the daemon's MAX_TIMEOUT (86400); 0 is the default."""
    timeout: int | str | None
    """The same as `timeout_seconds`."""
    workspace: str | None
    """Absolute path of the working directory, where the job's files are."""
    workdir: str | None
    """The same as `workspace`."""
    artifacts: Sequence[Mapping[str, Any]] | None
    """Files to transfer before and after the command, at most 64; see ARTIFACTS."""
    callback: str | Mapping[str, Any] | None
    """The receiver of the job's events; see CALLBACK."""
    labels: Mapping[str, str] | Sequence[str] | None
    """Texts to filter by, at most 32."""
    label: Mapping[str, str] | Sequence[str] | None
    """The same as `labels`."""
    pids: int | None
    """Limit of processes and threads; 0 is the default."""
    pids_limit: int | None
    """The same as `pids`."""
    user: str | None
    """Uid[:gid] or name that the command runs as; default: the image's."""
    pull: Literal["missing", "always", "never"] | None
    """When the image is pulled."""
    platform: str | None
    """Os[/architecture[/variant]] of the image."""
    runtime: str | None
    """The engine's runtime."""
    read_only: bool | None
    """The command can write only to its workspace and to a /tmp in memory."""
    cap_drop: Sequence[str] | None
    """Capabilities to drop, such as SETUID, or ALL; NET_RAW is always dropped."""
    cap_add: Sequence[str] | None
    """Capabilities to add; refused unless jobd runs with ALLOW_CAP_ADD."""
    secrets: Mapping[str, str] | None
    """Name: text; each is a file in /run/secrets, in memory, that only the command's user can read."""
    secret: Mapping[str, str] | None
    """The same as `secrets`."""
    retries: int | None
    """Further attempts after a failure, at most 10; each starts from the beginning, after a delay that
    doubles."""
    retry_on: Sequence[int | str] | None
    """Exit codes and reasons to retry after; empty: any failure before the outputs."""
    priority: int | None
    """Waiting jobs with a higher one start first, -100 to 100; equal ones in the order of their
    submission."""
    group: str | None
    """Name of the job's group, at most 64 letters, digits, '-', '_' and '.'; a group may have a limit of
    running jobs."""
    set: str | None
    """Id of the set that the job belongs to, at most 64 characters as a group's name; none where it is
    empty."""
    after: Sequence[Any] | None
    """Earlier jobs that must end before this one starts, at most 64; see DEPENDENCIES."""
    gpus: int | Literal["all"] | None
    """Number of GPUs that the job holds alone, at most 64 and those of the daemon's GPU_DEVICES; all for
    every one."""
    stdin: bool | None
    """The command has a standard input, which jobctl run -i or jobctl attach feeds; without retries."""
    interactive: bool | None
    """The same as `stdin`."""
    tty: bool | None
    """The command has a terminal, whose output is one stream; without retries."""
    attach: bool | None
    """The command starts once a client is attached, or half a minute after it could have started; jobctl
    run -i and -t set it."""
    init: bool | None
    """A small init is process 1 of the container, so that signals without a handler end the command;
    false: the command is process 1."""
    stop_signal: str | None
    """The first signal of a cancel, and of a command whose time is over."""
    stop_timeout_seconds: int | str | None
    """Seconds between that signal and SIGKILL, 0 to 3600; 0 kills at once."""
    stop_timeout: int | str | None
    """The same as `stop_timeout_seconds`."""
    working_dir: str | None
    """Absolute path of the working directory, where that is not the workspace."""
    mounts: Sequence[str | Mapping[str, Any]] | None
    """Files and folders of this machine, at most 32; see MOUNTS."""
    volume: Sequence[str | Mapping[str, Any]] | None
    """The same as `mounts`."""
    mount: Sequence[str | Mapping[str, Any]] | None
    """The same as `mounts`."""
    tmpfs: Mapping[str, str] | Sequence[str] | None
    """Path: options of a folder in memory, at most 16; options such as size=64m,mode=1777 may be empty;
    counts as the job's memory."""
    shm_size: int | str | None
    """Size of /dev/shm in MB; 0 is the engine's default, 64."""
    hostname: str | None
    """Host name of the container; default: the engine's."""
    network: str | None
    """None; bridge, the engine's own; or the name of a network of the engine, in which containers reach
    each other; default: a network of jobd without traffic between jobs."""
    ports: Sequence[str | Mapping[str, Any]] | None
    """Ports of the command that are open on this machine, at most 64; see PORTS."""
    publish: Sequence[str | Mapping[str, Any]] | None
    """The same as `ports`."""
    extra_hosts: Sequence[str] | None
    """Entries name:address of the hosts file, at most 64; the address host-gateway is this machine."""
    add_host: Sequence[str] | None
    """The same as `extra_hosts`."""
    dns: Sequence[str] | None
    """Addresses of name servers, at most 8; default: those of the engine."""
    ulimits: Sequence[str | Mapping[str, Any]] | None
    """Limits of the command's processes; see LIMITS OF PROCESSES."""
    ulimit: Sequence[str | Mapping[str, Any]] | None
    """The same as `ulimits`."""
    devices: Sequence[str | Mapping[str, Any]] | None
    """Devices of this machine, at most 32; refused unless jobd runs with ALLOW_DEVICES; see DEVICES."""
    device: Sequence[str | Mapping[str, Any]] | None
    """The same as `devices`."""
