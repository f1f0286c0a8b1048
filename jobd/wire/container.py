"""The parts of a job spec that say how the worker's container meets its machine: mounts, ports, limits, devices, signals.

Owns the types and their defaults. `validation/container.py` checks the values.

Source: man/job.5, "FIELDS"; Docker Engine API, ContainerCreate.
"""

from typing import Literal

import msgspec

LOOPBACK = "127.0.0.1"
DEFAULT_STOP_S = 10
DEFAULT_SHM_MB = 64
"""The engine's own size of /dev/shm."""
NO_NETWORK = "none"

StopSignal = Literal["SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGKILL"]
DEFAULT_STOP_SIGNAL: StopSignal = "SIGTERM"
ULIMITS = frozenset(
    {
        "core",
        "cpu",
        "data",
        "fsize",
        "locks",
        "memlock",
        "msgqueue",
        "nofile",
        "nproc",
        "rss",
        "sigpending",
        "stack",
    }
)
"""The names in `ulimits`. Without `nice`, `rtprio` and `rttime`: a job would outrank all else on the machine. Source: getrlimit(2)."""
UNLIMITED = -1


class Mount(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, rename="camel"
):
    """A file or folder of the engine's machine, `source`, at the path `target` of the worker."""

    source: str
    target: str
    read_only: bool = False


class Port(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, rename="camel"
):
    """A port of the worker that is open on the engine's machine as `host_port` of the address `host_ip`."""

    container_port: int
    host_port: int
    host_ip: str = LOOPBACK
    protocol: Literal["tcp", "udp"] = "tcp"


class Ulimit(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, rename="camel"
):
    """A limit of the worker's processes; -1 is no limit."""

    name: str
    soft: int
    hard: int


class Device(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, rename="camel"
):
    """A device of the engine's machine, `source`, at the path `target` of the worker. `permissions`: read, write, mknod."""

    source: str
    target: str
    permissions: str = "rwm"
