"""What a job wants of its container beyond image, command and amounts, as parts of the Engine's create body. Pure.

Owns mounts, files in memory, signals, limits of processes, devices and the network of a container. `container_spec.py` has the rest of
the body, and all that confines a container.

Source: Docker Engine API, ContainerCreate.
"""

from jobd.docker.mapping import labels
from jobd.docker.mapping.settings import DockerSettings
from jobd.jobs.port.model import HostMount, WorkOrder
from jobd.wire.container import NO_NETWORK
from jobd.wire.host_alias import HOST_ALIAS
from jobd.wire.job import JobSpec

Body = dict[str, object]

MIB = 1024 * 1024
WORKER_TMP = "rw,nosuid,nodev,size=64m,mode=1777"
"""Allows execution, for builds and installers; its content counts as the worker's memory."""
_TMP = "/tmp"  # noqa: S108 - the worker's own
_IN_MEMORY = "nosuid,nodev"
"""Options that every tmpfs of a job has."""


def worker_config(spec: JobSpec) -> Body:
    """Returns the part of a worker's body beside its host configuration."""
    body: Body = {
        "WorkingDir": spec.working_dir or spec.workspace,
        "StopSignal": spec.stop_signal,
        "StopTimeout": spec.stop_timeout_seconds,
    }
    if spec.hostname:
        body["Hostname"] = spec.hostname
    if spec.ports:
        body["ExposedPorts"] = {f"{port.container_port}/{port.protocol}": {} for port in spec.ports}
    return body


def worker_host(order: WorkOrder, *, init: bool) -> Body:
    """Returns the part of a worker's host configuration. `init`: the engine has an init for containers."""
    spec, own_init = order.spec, order.spec.init and init
    host: Body = {
        "Init": own_init,
        # The init is a process of the container that the job does not count.
        "PidsLimit": spec.pids_limit + own_init,
    }
    if spec.read_only:
        host["ReadonlyRootfs"] = True
    if in_memory := _tmpfs(spec):
        host["Tmpfs"] = in_memory
    if spec.shm_size:
        host["ShmSize"] = spec.shm_size * MIB
    if spec.ulimits:
        host["Ulimits"] = [{"Name": one.name, "Soft": one.soft, "Hard": one.hard} for one in spec.ulimits]
    if spec.devices:
        host["Devices"] = [
            {"PathOnHost": one.source, "PathInContainer": one.target, "CgroupPermissions": one.permissions}
            for one in spec.devices
        ]
    if order.gpus:
        host["DeviceRequests"] = [{"DeviceIDs": list(order.gpus), "Capabilities": [["gpu"]]}]
    if spec.ports:
        host["PortBindings"] = _port_bindings(spec)
    return host


def host_mount(mount: HostMount) -> Body:
    """Returns the mount of a file or folder of the engine's machine, at the path that was checked."""
    return {
        "Type": "bind",
        "Source": mount.source,
        "Target": mount.target,
        "ReadOnly": mount.read_only,
        "BindOptions": {"Propagation": "rprivate"},
    }


def _tmpfs(spec: JobSpec) -> dict[str, str]:
    found = {
        path: ",".join(part for part in (options, _IN_MEMORY) if part) for path, options in spec.tmpfs.items()
    }
    if spec.read_only and spec.workspace != _TMP and not _covers_tmp(spec):
        found[_TMP] = WORKER_TMP
    return found


def _covers_tmp(spec: JobSpec) -> bool:
    return any(path == _TMP for path in (*spec.tmpfs, *(mount.target for mount in spec.mounts)))


def _port_bindings(spec: JobSpec) -> Body:
    bindings: dict[str, list[Body]] = {}
    for port in spec.ports:
        place: Body = {"HostIp": port.host_ip, "HostPort": str(port.host_port)}
        bindings.setdefault(f"{port.container_port}/{port.protocol}", []).append(place)
    return dict(bindings)


def extra_hosts(configured: tuple[str, ...]) -> list[str]:
    """Returns the host entries: the configured ones, and the host's alias unless configured."""
    named = {entry.partition(":")[0] for entry in configured}
    own = [] if HOST_ALIAS in named else [f"{HOST_ALIAS}:host-gateway"]
    return [*own, *configured]


def network(settings: DockerSettings, sandbox_id: str | None = None) -> Body:
    """Returns the network of a container: jobd's own, or a sandbox's, which has the host entries already."""
    if sandbox_id is not None:
        return {"NetworkMode": f"container:{sandbox_id}"}
    return {
        "NetworkMode": labels.network_name(settings.instance),
        "ExtraHosts": extra_hosts(settings.extra_hosts),
    }


def worker_network(spec: JobSpec, settings: DockerSettings, sandbox_id: str | None) -> Body:
    """Returns the network of a worker: the job's own choice, if it has one."""
    if spec.network == NO_NETWORK:
        return {
            "NetworkMode": NO_NETWORK,
            **({"ExtraHosts": list(spec.extra_hosts)} if spec.extra_hosts else {}),
        }
    return _chosen(spec, network(settings, sandbox_id), settings)


def sidecar_network(spec: JobSpec, settings: DockerSettings, sandbox_id: str | None) -> Body:
    """Returns the network of a sidecar: the worker's. A worker without a network needs its inputs and outputs all the same."""
    own = network(settings, sandbox_id)
    return own if spec.network == NO_NETWORK else _chosen(spec, own, settings)


def _chosen(spec: JobSpec, own: Body, settings: DockerSettings) -> Body:
    if not spec.has_own_network:
        return own
    chosen: Body = {**own, "ExtraHosts": [*spec.extra_hosts, *extra_hosts(settings.extra_hosts)]}
    if spec.network:
        chosen["NetworkMode"] = spec.network
    if spec.dns:
        chosen["Dns"] = list(spec.dns)
    return chosen
