"""Validation of a worker's network: its name, host name, hosts file, name servers and open ports. Pure.

Source: man/job.5; Docker Engine API, ContainerCreate; RFC 1123, section 2.1 (host names).
"""

import ipaddress
import re
from collections.abc import Iterator

from jobd.wire.container import NO_NETWORK
from jobd.wire.job import JobSpec
from jobd.wire.problem import Problem
from jobd.wire.validation.limits import (
    MAX_DNS,
    MAX_EXTRA_HOSTS,
    MAX_HOST_ENTRY,
    MAX_HOSTNAME,
    MAX_NETWORK,
    MAX_PORT,
    MAX_PORTS,
    MIN_HOST_PORT,
)

HOST_GATEWAY = "host-gateway"
_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOSTNAME = re.compile(rf"^{_LABEL}(\.{_LABEL})*\Z")
_HOST = re.compile(r"^[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?\Z")
_NETWORK = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_.-]*\Z")
_OTHERS_NETWORKS = frozenset({"host", "default"})


def network_problems(spec: JobSpec) -> Iterator[Problem]:
    """Yields the problems of `hostname`, `network`, `ports`, `extraHosts` and `dns`."""
    if spec.hostname and (len(spec.hostname) > MAX_HOSTNAME or not _HOSTNAME.match(spec.hostname)):
        yield Problem(
            "hostname", f"must be a host name of at most {MAX_HOSTNAME} letters, digits, '-' and '.'"
        )
    if why := _network(spec.network):
        yield Problem("network", why)
    yield from _ports(spec)
    if len(spec.extra_hosts) > MAX_EXTRA_HOSTS:
        yield Problem("extraHosts", f"must have at most {MAX_EXTRA_HOSTS} entries")
    for index, entry in enumerate(spec.extra_hosts[:MAX_EXTRA_HOSTS]):
        name, _, address = entry.partition(":")
        if (
            len(entry) > MAX_HOST_ENTRY
            or not _HOST.match(name)
            or not (address == HOST_GATEWAY or is_address(address))
        ):
            yield Problem(
                f"extraHosts[{index}]", f"must be NAME:ADDRESS, or NAME:{HOST_GATEWAY} for this machine"
            )
    if len(spec.dns) > MAX_DNS:
        yield Problem("dns", f"must have at most {MAX_DNS} entries")
    for index, server in enumerate(spec.dns[:MAX_DNS]):
        if not is_address(server):
            yield Problem(f"dns[{index}]", "must be the IP address of a name server")


def is_address(text: str) -> bool:
    """Returns whether the text is an IPv4 or IPv6 address, without brackets and without a zone."""
    if "%" in text or not text.isascii():
        return False
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _network(name: str) -> str | None:
    if name in _OTHERS_NETWORKS:
        return (
            "cannot be the machine's own; open ports with ports (-p HOST:CONTAINER), and reach this machine as host.docker.internal"
            if name == "host"
            else "is jobd's own network where it is left out; bridge is the engine's"
        )
    if name and (len(name) > MAX_NETWORK or not _NETWORK.match(name)):
        return "must be none, bridge, or the name of a network of the engine"
    return None


def _ports(spec: JobSpec) -> Iterator[Problem]:
    if len(spec.ports) > MAX_PORTS:
        yield Problem("ports", f"must have at most {MAX_PORTS} entries")
        return
    if spec.ports and spec.network == NO_NETWORK:
        yield Problem("ports", "cannot be opened where network is none")
    seen: set[tuple[str, int, str]] = set()
    for index, port in enumerate(spec.ports):
        at = f"ports[{index}]"
        if not 1 <= port.container_port <= MAX_PORT:
            yield Problem(f"{at}.containerPort", f"must be from 1 to {MAX_PORT}")
        if not MIN_HOST_PORT <= port.host_port <= MAX_PORT:
            yield Problem(
                f"{at}.hostPort",
                f"must be from {MIN_HOST_PORT} to {MAX_PORT}: lower ports are for root's services",
            )
        if not is_address(port.host_ip):
            yield Problem(f"{at}.hostIp", "must be an IP address; 0.0.0.0 is every address of this machine")
        place = (port.host_ip, port.host_port, port.protocol)
        if place in seen:
            yield Problem(f"{at}.hostPort", f"{port.host_port} is listed twice")
        seen.add(place)
