"""A work order as the bodies that the Engine's create calls take.

Pure: what stands here is all that a job's containers may and may not do. Knows nothing of calls, names are in `labels.py`.

Source: Docker Engine API, ContainerCreate, VolumeCreate, NetworkCreate.
"""

from jobd.docker.mapping import labels
from jobd.docker.mapping.settings import DockerSettings
from jobd.jobs.port.model import JobRef, WorkOrder
from jobd.wire.host_alias import HOST_ALIAS
from jobd.wire.job import DEFAULT_WORKSPACE, SECRETS_FOLDER, JobSpec

Body = dict[str, object]

MIB = 1024 * 1024
SIDECAR_MEMORY_BYTES = 256 * MIB
SIDECAR_PIDS = 256
SIDECAR_WORKSPACE = DEFAULT_WORKSPACE
"""Where the sidecar has it, whatever the worker calls it: a workspace at /usr would hide the sidecar's own programs."""
SIDECAR_TMP = "rw,noexec,nosuid,nodev,size=16m,mode=1777"
WORKER_TMP = "rw,nosuid,nodev,size=64m,mode=1777"
"""Programs may be run from it, as builds and installers do; what is in it counts as the worker's memory."""
SIDECAR_CAPABILITIES = ("DAC_OVERRIDE", "CHOWN", "FOWNER")
SIDECAR_LOG_BYTES = 256 * MIB
"""Generous, since a report that rotates away unread is lost: it bounds a sidecar that has gone mad, no other."""
SECRETS_OPTIONS = {
    "type": "tmpfs",
    "device": "tmpfs",
    "o": "size=4m,nr_inodes=100,mode=0755,noexec,nosuid,nodev",
}
"""A volume in memory: it is there while a container that has it runs, and its content goes with the last one."""

WORKER_LOG_DRIVER = "local"
"""Keeps bytes as they are; `json-file` writes U+FFFD for what is no UTF-8."""
SIDECAR_LOG_DRIVER = "json-file"
"""Reports are ASCII, and each newline is there at once: some versions of `local` leave out that of a long line."""

_LOG_DRIVERS: dict[str, dict[str, str]] = {"json-file": {}, "local": {"compress": "false"}}
"""The drivers that can be read back, with their own options."""
_LOG_FILES = 2
_NO_HEALTHCHECK: Body = {"Test": ["NONE"]}
"""An image's own check would flood the engine's event buffer."""
_NO_NEW_PRIVILEGES = ["no-new-privileges"]


def worker_body(order: WorkOrder, settings: DockerSettings, making: str) -> Body:
    """Returns the create body of the worker. `making` is the random text that labels a volume made by this call."""
    spec = order.spec
    mounts = [
        _workspace(order, settings, making, spec.workspace),
        *_secrets(order, settings, making, read_only=True),
    ]
    body: Body = {
        "Image": spec.image,
        "Env": [f"{name}={value}" for name, value in spec.environment.items()],
        "WorkingDir": spec.workspace,
        "Labels": labels.container_labels(order.ref, settings.instance, "worker"),
        "OpenStdin": False,
        "Tty": False,
        "Healthcheck": _NO_HEALTHCHECK,
        **_process(spec),
    }
    if spec.user is not None:
        body["User"] = spec.user
    host: Body = {
        **_host(settings, WORKER_LOG_DRIVER, settings.log_max_bytes, mounts),
        "NanoCpus": nano_cpus(spec.cpu_cores),
        "PidsLimit": spec.pids_limit,
        **_capabilities(spec),
        **_memory(spec.memory_mb * MIB),
    }
    if spec.read_only:
        host["ReadonlyRootfs"] = True
        if spec.workspace != "/tmp":  # noqa: S108 - the worker's own
            host["Tmpfs"] = {"/tmp": WORKER_TMP}  # noqa: S108 - the same
    if spec.runtime is not None:
        host["Runtime"] = spec.runtime
    body["HostConfig"] = host
    return body


def sidecar_body(order: WorkOrder, settings: DockerSettings, making: str) -> Body:
    """Returns the create body of the sidecar: it waits for its order on a standard input that can be attached once.

    Its environment is empty: what it must know, and above all what is secret, comes on that input.
    """
    mounts = [
        _workspace(order, settings, making, SIDECAR_WORKSPACE),
        *_secrets(order, settings, making, read_only=False),
    ]
    return {
        "Image": settings.sidecar_image,
        "User": "0:0",
        "Env": [],
        "Labels": labels.container_labels(order.ref, settings.instance, "sidecar"),
        "OpenStdin": True,
        "StdinOnce": True,
        "AttachStdin": True,
        "Tty": False,
        "Healthcheck": _NO_HEALTHCHECK,
        "HostConfig": {
            **_host(settings, SIDECAR_LOG_DRIVER, SIDECAR_LOG_BYTES, mounts),
            "PidsLimit": SIDECAR_PIDS,
            "CapDrop": ["ALL"],
            "CapAdd": list(SIDECAR_CAPABILITIES),
            "ReadonlyRootfs": True,
            "Tmpfs": {"/tmp": SIDECAR_TMP},  # noqa: S108 - the sidecar's own, in memory
            **_memory(SIDECAR_MEMORY_BYTES),
        },
    }


def volume_labels(ref: JobRef, instance: str, making: str) -> dict[str, str]:
    """Returns the labels of the workspace volume."""
    return {**labels.job_labels(ref, instance), labels.MAKING: making}


def network_body(instance: str) -> Body:
    """Returns the create body of the instance's network: a bridge on which containers do not reach each other."""
    return {
        "Name": labels.network_name(instance),
        "Driver": "bridge",
        "CheckDuplicate": True,
        "Labels": labels.instance_labels(instance),
        "Options": {"com.docker.network.bridge.enable_icc": "false"},
    }


def extra_hosts(configured: tuple[str, ...]) -> list[str]:
    """Returns the host entries: the configured ones, and the host's alias where they do not set it themselves."""
    named = {entry.partition(":")[0] for entry in configured}
    own = [] if HOST_ALIAS in named else [f"{HOST_ALIAS}:host-gateway"]
    return [*own, *configured]


def nano_cpus(cores: float) -> int:
    """Returns cores in billionths, at least the hundredth of a core below which the engine refuses."""
    return max(round(cores * 1_000_000_000), 10_000_000)


def _capabilities(spec: JobSpec) -> Body:
    # Whoever may open raw sockets can answer for other containers on the bridge.
    dropped = {*({"NET_RAW"} - set(spec.cap_add)), *spec.cap_drop}
    return {"CapDrop": sorted(dropped), **({"CapAdd": sorted(set(spec.cap_add))} if spec.cap_add else {})}


def _process(spec: JobSpec) -> Body:
    if isinstance(spec.command, str):
        return {"Entrypoint": ["/bin/sh", "-c"], "Cmd": [spec.command]}
    process: Body = {}
    if spec.entrypoint:
        process["Entrypoint"] = list(spec.entrypoint)
    if spec.command:
        process["Cmd"] = list(spec.command)
    return process


def _host(settings: DockerSettings, driver: str, log_bytes: int, mounts: list[Body]) -> Body:
    bound = {"max-size": str(log_bytes // _LOG_FILES), "max-file": str(_LOG_FILES)}
    return {
        "NetworkMode": labels.network_name(settings.instance),
        "SecurityOpt": _NO_NEW_PRIVILEGES,
        "ExtraHosts": extra_hosts(settings.extra_hosts),
        "Mounts": mounts,
        "LogConfig": {
            "Type": driver,
            "Config": {**bound, **_LOG_DRIVERS[driver]},
        },
        "RestartPolicy": {"Name": "no"},
        "AutoRemove": False,
    }


def _workspace(order: WorkOrder, settings: DockerSettings, making: str, target: str) -> Body:
    # NoCopy: what the image holds at this path, links above all, must not get into the volume.
    # The labels: should the volume have gone since it was made, the engine makes it again, and it must be ours.
    return {
        "Type": "volume",
        "Source": labels.volume_name(order.ref.id),
        "Target": target,
        "VolumeOptions": {
            "NoCopy": True,
            "Labels": volume_labels(order.ref, settings.instance, making),
        },
    }


def _secrets(order: WorkOrder, settings: DockerSettings, making: str, *, read_only: bool) -> list[Body]:
    if not order.spec.secrets:
        return []
    volume: Body = {
        "Type": "volume",
        "Source": labels.secrets_name(order.ref.id),
        "Target": SECRETS_FOLDER,
        "ReadOnly": read_only,
        "VolumeOptions": {
            "NoCopy": True,
            "Labels": volume_labels(order.ref, settings.instance, making),
            "DriverConfig": {"Name": "local", "Options": dict(SECRETS_OPTIONS)},
        },
    }
    return [volume]


def _memory(size_bytes: int) -> Body:
    # Swap equal to memory means none: unset, the engine would allow as much again.
    return {"Memory": size_bytes, "MemorySwap": size_bytes}
