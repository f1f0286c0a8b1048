"""What a job may ask for and a Pod does not have: the field, and a sentence with the reason. Pure.

The table in docs/kubernetes.md says the same; a test compares the two.
"""

import ipaddress
import re
from collections.abc import Iterator

from jobd.jobs.port.model import Unsupported
from jobd.kubernetes.mapping.pod import tmpfs_size
from jobd.kubernetes.mapping.users import ids_of
from jobd.wire.container import DEFAULT_STOP_SIGNAL
from jobd.wire.job import DEFAULT_PIDS, JobSpec

_HOSTNAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\Z")
_VARIABLE = re.compile(r"[^=\0]+\Z")


def unsupported(spec: JobSpec) -> Unsupported | None:
    """Returns the first thing in the spec that has no place in a Pod."""
    return next(_found(spec), None)


def _found(spec: JobSpec) -> Iterator[Unsupported]:
    if spec.user is not None and ids_of(spec.user) is None:
        yield Unsupported(
            "user", "Kubernetes takes a user as numbers, uid or uid:gid: it looks up no name in an image"
        )
    if spec.stop_signal != DEFAULT_STOP_SIGNAL:
        yield Unsupported(
            "stopSignal", "Kubernetes ends a container by SIGTERM, and by SIGKILL after stopTimeoutSeconds"
        )
    if spec.pids_limit != DEFAULT_PIDS:
        yield Unsupported(
            "pids", "Kubernetes has one limit of processes for all Pods of a node, which its operator sets"
        )
    if spec.gpus == "all":
        yield Unsupported("gpus", "Kubernetes gives a Pod a number of GPUs; name a number")
    if spec.mounts:
        yield Unsupported(
            "mounts",
            "a node's own files are no part of a job; send local files with the job, or use an artifact",
        )
    if spec.devices:
        yield Unsupported(
            "devices", "Kubernetes gives devices by its device plugins alone, and a job can ask for GPUs"
        )
    if spec.ulimits:
        yield Unsupported("ulimits", "Kubernetes sets no limits of single processes")
    if spec.ports:
        yield Unsupported(
            "ports", "a Pod has its own address in the cluster; a Service opens its ports to others"
        )
    if spec.network:
        yield Unsupported("network", "a Pod is in the cluster's network; a NetworkPolicy takes it away")
    yield from _of_names(spec)
    yield from _of_interaction(spec)


def _of_names(spec: JobSpec) -> Iterator[Unsupported]:
    if spec.hostname and _HOSTNAME.match(spec.hostname) is None:
        yield Unsupported("hostname", "Kubernetes takes at most 63 lower-case letters, digits and hyphens")
    for number, entry in enumerate(spec.extra_hosts):
        name, _, address = entry.partition(":")
        if not name or not _is_address(address):
            yield Unsupported(f"extraHosts[{number}]", "Kubernetes takes name:address with an IP address")
    for path, options in spec.tmpfs.items():
        others = [one for one in options.split(",") if one and not one.startswith("size=")]
        if others or (options and tmpfs_size(options) is None):
            yield Unsupported(f"tmpfs[{path}]", "Kubernetes takes a size alone, as size=64m")
    for name in spec.environment:
        if _VARIABLE.match(name) is None or name.startswith(" "):
            yield Unsupported(f"environment[{name}]", "Kubernetes refuses this name of a variable")


def _of_interaction(spec: JobSpec) -> Iterator[Unsupported]:
    for field, given in (("stdin", spec.stdin), ("tty", spec.tty), ("attach", spec.attach)):
        if given:
            yield Unsupported(
                field, "jobd attaches no client to a Pod; `jobctl exec` runs a command beside the worker"
            )


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        return False
    return True
