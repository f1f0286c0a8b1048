"""Models of the engine's answers, with the fields that jobd reads. `inspection.py` and `images.py` interpret them.

Source: Docker Engine API, SystemVersion, SystemInfo, SystemDataUsage, ImageInspect, ContainerList.
"""

from typing import Any

import msgspec


class Version(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """SystemVersion; jobd adds `negotiated`, the negotiated API version."""

    version: str = "?"
    api_version: str = msgspec.field(name="ApiVersion", default="1.41")
    min_api_version: str = msgspec.field(name="MinAPIVersion", default="1.12")
    os: str = "linux"
    arch: str = ""
    negotiated: str = ""


NO_INIT = "N/A"
"""The commit of an init that the engine does not find."""


class Commit(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """`Commit` of SystemInfo: the version of a program that the engine uses."""

    id: str = msgspec.field(name="ID", default="")


class Info(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """SystemInfo."""

    cpus: int = msgspec.field(name="NCPU", default=0)
    mem_total: int = 0
    driver: str = ""
    cgroup_driver: str = ""
    cgroup_version: str = ""
    operating_system: str = ""
    kernel_version: str = ""
    runtimes: dict[str, Any] | None = None
    security_options: list[str] | None = None
    system_time: str = ""
    live_restore_enabled: bool = False
    init_commit: Commit = Commit()
    docker_root_dir: str = ""


class NetworkInspected(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """The part of NetworkInspect that jobd reads."""

    created: str = ""


class ListedHostConfig(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """`HostConfig` of an entry of ContainerList."""

    network_mode: str = ""


class ListedNetwork(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """The part of an entry of NetworkList that jobd reads."""

    id: str
    name: str
    created: str = ""
    labels: dict[str, str] | None = None


class Listed(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """The part of an entry of ContainerList that jobd reads."""

    id: str
    state: str = ""
    labels: dict[str, str] | None = None
    host_config: ListedHostConfig = ListedHostConfig()


class CpuUsage(msgspec.Struct, frozen=True, kw_only=True):
    """In nanoseconds."""

    total_usage: int = 0


class CpuStats(msgspec.Struct, frozen=True, kw_only=True):
    """`cpu_stats` of ContainerStats."""

    cpu_usage: CpuUsage = CpuUsage()


class MemoryStats(msgspec.Struct, frozen=True, kw_only=True):
    """`memory_stats` of ContainerStats, in bytes; cgroup v2 has no `max_usage`."""

    usage: int = 0
    max_usage: int = 0


class Stats(msgspec.Struct, frozen=True, kw_only=True):
    """ContainerStats; all zero for a stopped container."""

    cpu_stats: CpuStats = CpuStats()
    memory_stats: MemoryStats = MemoryStats()


class VolumeUsage(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """`UsageData` of a volume; -1 if the driver does not report it."""

    size: int = 0


class DiskVolume(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """A volume of SystemDataUsage."""

    labels: dict[str, str] | None = None
    usage_data: VolumeUsage | None = None


class DiskContainer(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """A container of SystemDataUsage; `size_rw` is the size of its writable layer."""

    labels: dict[str, str] | None = None
    size_rw: int = 0


class DiskUsage(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """SystemDataUsage."""

    containers: list[DiskContainer] | None = None
    volumes: list[DiskVolume] | None = None


class ImageConfig(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """`Config` of ImageInspect."""

    user: str = ""
    labels: dict[str, str] | None = None


class ImageInspected(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """ImageInspect."""

    id: str
    repo_digests: list[str] | None = None
    repo_tags: list[str] | None = None
    architecture: str = ""
    os: str = ""
    config: ImageConfig | None = None


class ProgressDetail(msgspec.Struct, frozen=True):
    """The progress of a layer, in bytes."""

    current: int | None = None
    total: int | None = None


class Message(msgspec.Struct, frozen=True, rename={"progress": "progressDetail"}):
    """One progress line of a pull or a build."""

    status: str = ""
    id: str = ""
    error: str = ""
    stream: str = ""
    progress: ProgressDetail | None = None


class ExecCreated(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """The answer of ContainerExec."""

    id: str


class ExecInspected(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """The part of ExecInspect that jobd reads; the exit code is null while the command runs."""

    running: bool = False
    exit_code: int | None = None
