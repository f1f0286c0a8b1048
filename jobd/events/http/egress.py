"""Which addresses jobd itself may connect to, for callbacks.

Pure but for `is_local`, which asks the kernel. jobd checks the address right before connecting, so the check covers names, odd
spellings and IPv4 inside IPv6. `resolver.py` resolves names; `special_addresses.py` has the special blocks.

Source: docs/events.md, "Where jobd sends to".
"""

import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, ip_address, ip_network
from typing import Literal

from jobd.events.http.special_addresses import METADATA, Address, Network, embedded, is_public


class EgressRefused(OSError):
    """The policy forbids this address. An OSError, because a connection attempt may raise those."""


@dataclass(frozen=True, slots=True)
class EgressRule:
    """`local`: this machine and private networks are allowed. `strict`: public addresses and `networks` alone."""

    mode: Literal["local", "strict"] = "local"
    networks: tuple[Network, ...] = ()


def parse_rule(text: str) -> EgressRule:
    """Returns the rule in `EGRESS_POLICY`: `local`, `strict`, or `strict,10.0.0.0/8,fd00::/8`.

    Raises:
        ValueError: the text is neither, or a network is not valid.
    """
    mode, *rest = (part.strip() for part in text.split(","))
    if mode == "local" and not rest:
        return EgressRule()
    if mode != "strict":
        raise ValueError("must be local, or strict followed by networks: strict,10.0.0.0/8")
    try:
        return EgressRule("strict", tuple(ip_network(part) for part in rest))
    except ValueError as error:
        raise ValueError(f"must be networks such as 10.0.0.0/8 after strict: {error}") from None


def is_local(address: Address) -> bool:
    """True if the address is this machine's own: the kernel can bind a socket to the address."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((str(address), 0))
    except OSError:
        return False
    return True


class EgressPolicy:
    """One rule, and jobd's own listeners, `(ip, port)`, which are always refused; `0.0.0.0` and `::` stand for all of this
    machine's addresses.
    """

    def __init__(
        self,
        rule: EgressRule,
        listeners: frozenset[tuple[str, int]] = frozenset(),
        local: Callable[[Address], bool] = is_local,
    ) -> None:
        self._rule = rule
        self._listeners = [(ip_address(ip), port) for ip, port in listeners]
        self._local = local

    def refusal(self, ip: str, port: int) -> str | None:
        """Returns why a connection to this address is refused, or None if allowed."""
        try:
            address = ip_address(ip.partition("%")[0])
        except ValueError:
            return f"{ip!r} is not an IP address"
        for form in _forms(address):
            if why := self._refusal(form, port):
                return f"{ip} is {why}"
        return None

    def check(self, ip: str, port: int) -> None:
        """Returns if the connection is allowed.

        Raises:
            EgressRefused: the connection is not allowed.
        """
        if why := self.refusal(ip, port):
            raise EgressRefused(f"refused by the egress policy: {why}")

    def _refusal(self, address: Address, port: int) -> str | None:
        if address in METADATA:
            return "a cloud metadata address"
        if address.is_unspecified or (address.version == 4 and address in IPv4Network("0.0.0.0/8")):
            return "unspecified"
        if address.is_multicast:
            return "multicast"
        if address.is_link_local:
            return "link-local"
        if address.version == 4 and address in IPv4Network("240.0.0.0/4"):
            return "reserved"
        if self._own(address, port):
            return "jobd's own listener"
        if self._rule.mode == "strict":
            if any(
                address in network for network in self._rule.networks if network.version == address.version
            ):
                return None
            if not is_public(address):
                return "not public"
        return None

    def _own(self, address: Address, port: int) -> bool:
        for listener, its_port in self._listeners:
            if its_port != port:
                continue
            if address == listener or (
                listener.is_unspecified and (address.is_loopback or self._local(address))
            ):
                return True
        return False


def _forms(address: Address) -> Iterator[Address]:
    """Yields an address, and the IPv4 addresses that it may embed."""
    if isinstance(address, IPv4Address):
        yield address
        return
    inner = address.ipv4_mapped
    if inner is not None:
        yield inner
        return
    yield address
    yield from embedded(address)
