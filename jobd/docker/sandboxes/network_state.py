"""What a sandbox reports of its network namespace, and whether a job left a trace in the namespace. Pure.

Source: proc(5), /proc/net/snmp, /proc/net/snmp6, /proc/net/tcp.
"""

import re
from dataclasses import dataclass

LONGEST_REPORT = 256 * 1024
"""In bytes. A namespace with more sockets than fit is not used again."""
_COUNTERS_6 = ("Ip6InDelivers", "Ip6OutRequests")
_COUNTERS_4 = ("InDelivers", "OutRequests")
_FILES = (" /etc/hosts", " /etc/resolv.conf", " /etc/hostname")
_SOCKET = re.compile(r"\s*\d+: ([0-9A-F]+:[0-9A-F]{4}) ([0-9A-F]+:[0-9A-F]{4}) ([0-9A-F]{2}) ")


class InvalidReport(ValueError):
    """The text is not a sandbox's report."""


@dataclass(frozen=True, slots=True)
class NetworkState:
    """The state of a namespace. Two equal states: nothing was sent, received, opened or written between the reports.

    `files`: mode, mark of an access list, owner, size, time and hash of the shared files. `packets`: IP packets delivered and sent, loopback included; broadcasts that other containers cause are received and not delivered.
    `sockets`: local address, remote address and state, those that wait for their end included.
    """

    files: tuple[str, ...]
    packets: tuple[int, ...]
    sockets: frozenset[tuple[str, str, str]]


def parse(text: str) -> NetworkState:
    """Returns the state in a report. Raises: InvalidReport."""
    lines = text.splitlines()
    sockets = frozenset(
        (found[1], found[2], found[3]) for line in lines if (found := _SOCKET.match(line)) is not None
    )
    files = tuple(line for line in lines if line.endswith(_FILES))
    if len(files) != 2 * len(_FILES):
        raise InvalidReport("the report lacks a file")
    return NetworkState(files, (*_ipv4(lines), *_ipv6(lines)), sockets)


def _ipv4(lines: list[str]) -> tuple[int, ...]:
    rows = [line.split() for line in lines if line.startswith("Ip: ")]
    if len(rows) != 2 or len(rows[0]) != len(rows[1]):
        raise InvalidReport("the report has no IP counters")
    named = dict(zip(*rows, strict=True))
    try:
        return tuple(int(named[name]) for name in _COUNTERS_4)
    except (KeyError, ValueError) as error:
        raise InvalidReport(f"the report has no IP counter: {error}") from error


def _ipv6(lines: list[str]) -> tuple[int, ...]:
    """Returns the counters of IPv6; none if the kernel has no IPv6."""
    named = dict(parts for line in lines if len(parts := line.split()) == 2 and parts[0] in _COUNTERS_6)
    try:
        return tuple(int(named[name]) for name in _COUNTERS_6 if name in named)
    except ValueError as error:
        raise InvalidReport(f"the report has no IPv6 counter: {error}") from error
