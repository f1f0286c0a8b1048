"""Address blocks for special purposes, and the IPv4 addresses inside IPv6 ones. Pure.

Owns the tables. `egress.py` decides what may be connected to. The standard library's `is_global` is not used: it lacks blocks, and
differs between Python's releases.

Source: the IANA IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890, RFC 8190, as of October 2025), columns "Address
Block" and "Globally Reachable", where N/A counts as no; the IANA IPv6 Address Space registry (2000::/3 is global unicast).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class Block:
    """A row of a registry. `reachable`: addresses in it may be public; of several rows the one with the longest prefix counts."""

    network: Network
    name: str
    reachable: bool


def _block(network: str, name: str, *, reachable: bool = False) -> Block:
    return Block(ip_network(network), name, reachable)


IPV4_BLOCKS = (
    _block("0.0.0.0/8", "this network, RFC 791"),
    _block("10.0.0.0/8", "private use, RFC 1918"),
    _block("100.64.0.0/10", "shared address space, RFC 6598"),
    _block("127.0.0.0/8", "loopback, RFC 1122"),
    _block("169.254.0.0/16", "link-local, RFC 3927"),
    _block("172.16.0.0/12", "private use, RFC 1918"),
    _block("192.0.0.0/24", "IETF protocol assignments, RFC 6890"),
    _block("192.0.0.0/29", "IPv4 service continuity prefix, RFC 7335"),
    _block("192.0.0.8/32", "IPv4 dummy address, RFC 7600"),
    _block("192.0.0.9/32", "Port Control Protocol anycast, RFC 7723", reachable=True),
    _block("192.0.0.10/32", "TURN anycast, RFC 8155", reachable=True),
    _block("192.0.0.170/31", "NAT64/DNS64 discovery, RFC 8880"),
    _block("192.0.2.0/24", "documentation, RFC 5737"),
    _block("192.31.196.0/24", "AS112-v4, RFC 7535", reachable=True),
    _block("192.52.193.0/24", "AMT, RFC 7450", reachable=True),
    _block("192.88.99.0/24", "6to4 relay anycast, deprecated, RFC 7526"),
    _block("192.168.0.0/16", "private use, RFC 1918"),
    _block("192.175.48.0/24", "direct delegation AS112, RFC 7534", reachable=True),
    _block("198.18.0.0/15", "benchmarking, RFC 2544"),
    _block("198.51.100.0/24", "documentation, RFC 5737"),
    _block("203.0.113.0/24", "documentation, RFC 5737"),
    _block("224.0.0.0/4", "multicast, RFC 5771"),
    _block("240.0.0.0/4", "reserved, RFC 1112"),
    _block("255.255.255.255/32", "limited broadcast, RFC 919"),
)
IPV6_BLOCKS = (
    _block("::/128", "unspecified, RFC 4291"),
    _block("::1/128", "loopback, RFC 4291"),
    _block("::/96", "IPv4-compatible, deprecated, RFC 4291"),
    _block("::ffff:0:0/96", "IPv4-mapped, RFC 4291"),
    _block("::ffff:0:0:0/96", "IPv4-translated (SIIT), RFC 2765"),
    _block("64:ff9b::/96", "NAT64, RFC 6052", reachable=True),
    _block("64:ff9b:1::/48", "NAT64 for local use, RFC 8215"),
    _block("100::/64", "discard only, RFC 6666"),
    _block("100:0:0:1::/64", "dummy prefix, RFC 9780"),
    _block("2001::/23", "IETF protocol assignments, RFC 2928"),
    _block("2001::/32", "Teredo, RFC 4380"),
    _block("2001:1::1/128", "Port Control Protocol anycast, RFC 7723", reachable=True),
    _block("2001:1::2/128", "TURN anycast, RFC 8155", reachable=True),
    _block("2001:1::3/128", "DNS-SD service registration anycast, RFC 9665", reachable=True),
    _block("2001:2::/48", "benchmarking, RFC 5180"),
    _block("2001:3::/32", "AMT, RFC 7450", reachable=True),
    _block("2001:4:112::/48", "AS112-v6, RFC 7535", reachable=True),
    _block("2001:10::/28", "ORCHID, deprecated, RFC 4843"),
    _block("2001:20::/28", "ORCHIDv2, RFC 7343", reachable=True),
    _block("2001:30::/28", "drone remote identification, RFC 9374", reachable=True),
    _block("2001:db8::/32", "documentation, RFC 3849"),
    _block("2002::/16", "6to4, RFC 3056"),
    _block("2620:4f:8000::/48", "direct delegation AS112, RFC 7534", reachable=True),
    _block("3fff::/20", "documentation, RFC 9637"),
    _block("5f00::/16", "segment routing, RFC 9602"),
    _block("fc00::/7", "unique local, RFC 4193"),
    _block("fe80::/10", "link-local, RFC 4291"),
    _block("fec0::/10", "site-local, deprecated, RFC 3879"),
    _block("ff00::/8", "multicast, RFC 4291"),
)
_GLOBAL_UNICAST = IPv6Network("2000::/3")

METADATA = frozenset(
    ip_address(text)
    for text in (
        "169.254.169.254",  # most clouds
        "169.254.170.2",  # Amazon ECS
        "169.254.170.23",  # Amazon EKS
        "169.254.42.42",  # Scaleway
        "169.254.0.23",  # Tencent
        "100.100.100.200",  # Alibaba
        "168.63.129.16",  # Azure
        "192.0.0.192",  # Oracle
        "fd00:ec2::254",  # Amazon EC2
        "fd00:ec2::23",  # Amazon EKS
        "fd20:ce::254",  # Google
        "fd00:c1::a9fe:a9fe",  # Oracle
        "fd00:42::42",  # Scaleway
        "fe80::a9fe:a9fe",  # OpenStack
    )
)
"""The metadata addresses of clouds, which return a machine's credentials; each from the cloud's documentation."""

_EMBEDDING = tuple(map(IPv6Network, ("::/96", "::ffff:0:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48")))
"""Blocks with an IPv4 address in their last 32 bits."""
_LOCAL_NAT64 = IPv6Network("64:ff9b:1::/48")
_ISATAP = frozenset({0x00005EFE, 0x02005EFE})
_LOW_32 = 0xFFFFFFFF


def is_public(address: Address) -> bool:
    """True if the address is public: global unicast, and in no block with a narrower purpose."""
    rows = IPV4_BLOCKS if address.version == 4 else IPV6_BLOCKS
    matching = [row for row in rows if address in row.network]
    if matching:
        return max(matching, key=lambda row: row.network.prefixlen).reachable
    return address.version == 4 or address in _GLOBAL_UNICAST


def embedded(address: IPv6Address) -> Iterator[IPv4Address]:
    """Yields the IPv4 addresses that an IPv6 address embeds, or that a translator may derive: compatible, translated, 6to4,
    Teredo (its server and its client), ISATAP, and NAT64 (at each position of RFC 6052 for the local prefix).
    """
    value = int(address)
    if any(address in network for network in _EMBEDDING) and value > 0xFFFF:
        yield IPv4Address(value & _LOW_32)
    if address.sixtofour is not None:
        yield address.sixtofour
    if address.teredo is not None:
        yield from address.teredo
    if value >> 32 & _LOW_32 in _ISATAP:
        yield IPv4Address(value & _LOW_32)
    if address in _LOCAL_NAT64:
        yield from _at_shorter_prefixes(value)


def _at_shorter_prefixes(value: int) -> Iterator[IPv4Address]:
    """RFC 6052, section 2.2: with prefixes of 48, 56 and 64 bits the address surrounds bits 64 to 71. An address that begins with zero
    is ignored: the prefix has another length.
    """
    tail = value & ((1 << 80) - 1)  # after the 48 bits of the block
    without_gap = tail >> 64 << 56 | tail & ((1 << 56) - 1)  # 72 bits
    for skipped in (0, 8, 16):
        inner = without_gap >> (40 - skipped) & _LOW_32
        if inner >> 24:
            yield IPv4Address(inner)
