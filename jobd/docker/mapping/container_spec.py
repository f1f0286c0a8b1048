"""Builds the request bodies of the Engine's create calls from a work order.

Pure: these bodies define all that a job's containers may do. `labels.py` has the names.

Source: Docker Engine API, ContainerCreate, VolumeCreate, NetworkCreate.
"""

from jobd.docker.mapping import labels
from jobd.docker.mapping.container_options import (
    MIB,
    Body,
    host_mount,
    sidecar_network,
    worker_config,
    worker_host,
    worker_network,
)
from jobd.docker.mapping.settings import DockerSettings
from jobd.jobs.port.model import JobRef, WorkOrder
from jobd.wire.job import DEFAULT_WORKSPACE, SECRETS_FOLDER, JobSpec
from jobd.wire.report import JOBS_FOLDER

SIDECAR_MEMORY_BYTES = 256 * MIB
SIDECAR_PIDS = 256
SIDECAR_WORKSPACE = DEFAULT_WORKSPACE
"""The sidecar's mount point, whatever the worker's is: a workspace at /usr would hide the sidecar's own programs."""
SIDECAR_TMP = "rw,noexec,nosuid,nodev,size=16m,mode=1777"
SIDECAR_CAPABILITIES = ("DAC_OVERRIDE", "CHOWN", "FOWNER")
SIDECAR_LOG_BYTES = 256 * MIB
"""High, since a report that rotates away unread is lost: the limit is for a runaway sidecar only."""
SECRETS_OPTIONS = {
    "type": "tmpfs",
    "device": "tmpfs",
    "o": "size=4m,nr_inodes=100,mode=0755,noexec,nosuid,nodev",
}
"""A tmpfs volume: its content is lost when the last container that uses the volume ends."""

WORKER_LOG_DRIVER = "local"
"""Keeps all bytes; `json-file` replaces invalid UTF-8 by U+FFFD."""
SIDECAR_LOG_DRIVER = "json-file"
"""Reports are ASCII, and `json-file` keeps each newline: some versions of `local` omit the newline of a long line."""

_LOG_DRIVERS: dict[str, dict[str, str]] = {"json-file": {}, "local": {"compress": "false"}}
"""The drivers whose logs the engine can read, with their options."""
_LOG_FILES = 2
_NO_HEALTHCHECK: Body = {"Test": ["NONE"]}
"""An image's health check would flood the engine's event buffer."""
_NO_NEW_PRIVILEGES = ["no-new-privileges"]


def worker_body(
    order: WorkOrder,
    settings: DockerSettings,
    making: str,
    sandbox_id: str | None = None,
    *,
    init: bool = True,
) -> Body:
    """Returns the create body of the worker. `making` is the random label of the volumes that this `create` makes.
    `sandbox_id`: the container whose network the worker joins. `init`: the engine has an init for containers.
    """
    spec = order.spec
    mounts = [
        _workspace(order, settings, making, spec.workspace),
        *_secrets(order, settings, making, read_only=True),
        *map(host_mount, order.mounts),
    ]
    body: Body = {
        "Image": spec.image,
        "Env": [f"{name}={value}" for name, value in spec.environment.items()],
        **worker_config(spec),
        "Labels": labels.container_labels(order.ref, settings.instance, "worker"),
        "OpenStdin": spec.stdin,
        # The engine passes on the end of an input only where it has one connection in the worker's life.
        "StdinOnce": spec.stdin and not spec.tty,
        "Tty": spec.tty,
        "Healthcheck": _NO_HEALTHCHECK,
        **_process(spec),
    }
    if spec.user is not None:
        body["User"] = spec.user
    host: Body = {
        **worker_network(spec, settings, sandbox_id),
        **_host(WORKER_LOG_DRIVER, settings.log_max_bytes, mounts),
        **worker_host(order, init=init),
        "NanoCpus": nano_cpus(spec.cpu_cores),
        **_capabilities(spec),
        **_memory(spec.memory_mb * MIB),
    }
    if spec.runtime is not None:
        host["Runtime"] = spec.runtime
    body["HostConfig"] = host
    return body


def sidecar_body(
    order: WorkOrder, settings: DockerSettings, making: str, sandbox_id: str | None = None
) -> Body:
    """Returns the create body of the sidecar, which reads its order from a standard input that can be attached once.

    The environment is empty: the sidecar gets its order, with all secrets, on that input.
    """
    mounts = [
        _workspace(order, settings, making, SIDECAR_WORKSPACE),
        *_secrets(order, settings, making, read_only=False),
        *(_source(name, ref, settings, making) for name, ref in order.sources.items()),
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
            **sidecar_network(order.spec, settings, sandbox_id),
            **_host(SIDECAR_LOG_DRIVER, SIDECAR_LOG_BYTES, mounts),
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
    """Returns the create body of the instance's network: a bridge without traffic between containers."""
    return {
        "Name": labels.network_name(instance),
        "Driver": "bridge",
        "CheckDuplicate": True,
        "Labels": labels.instance_labels(instance),
        "Options": {"com.docker.network.bridge.enable_icc": "false"},
    }


def nano_cpus(cores: float) -> int:
    """Returns cores in billionths, at least the engine's minimum of a hundredth of a core."""
    return max(round(cores * 1_000_000_000), 10_000_000)


def _capabilities(spec: JobSpec) -> Body:
    # A container with raw sockets can impersonate other containers on the bridge.
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


def _host(driver: str, log_bytes: int, mounts: list[Body]) -> Body:
    bound = {"max-size": str(log_bytes // _LOG_FILES), "max-file": str(_LOG_FILES)}
    return {
        "SecurityOpt": _NO_NEW_PRIVILEGES,
        "Mounts": mounts,
        "LogConfig": {
            "Type": driver,
            "Config": {**bound, **_LOG_DRIVERS[driver]},
        },
        "RestartPolicy": {"Name": "no"},
        "AutoRemove": False,
    }


def _workspace(order: WorkOrder, settings: DockerSettings, making: str, target: str) -> Body:
    # NoCopy: the image's files at this path, above all links, must not get into the volume.
    # Labels: if the volume was removed meanwhile, the engine creates it again, and it needs jobd's labels.
    ref = order.workspace_of or order.ref
    return {
        "Type": "volume",
        "Source": labels.volume_name(ref.id),
        "Target": target,
        "VolumeOptions": {"NoCopy": True, "Labels": volume_labels(ref, settings.instance, making)},
    }


def _source(name: str, ref: JobRef, settings: DockerSettings, making: str) -> Body:
    # Labels: if the volume was removed meanwhile, the engine creates an empty one. `making` tells it from the job's own.
    return {
        "Type": "volume",
        "Source": labels.volume_name(ref.id),
        "Target": f"{JOBS_FOLDER}/{name}",
        "ReadOnly": True,
        "VolumeOptions": {"NoCopy": True, "Labels": volume_labels(ref, settings.instance, making)},
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
    # MemorySwap equal to Memory means no swap: by default the engine allows as much swap as memory.
    return {"Memory": size_bytes, "MemorySwap": size_bytes}
