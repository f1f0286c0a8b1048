"""The tables of special addresses: each block's first and last address, their neighbours, and IPv4 inside IPv6."""

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobd.events.http.egress import EgressPolicy, EgressRule, parse_rule
from jobd.events.http.special_addresses import (
    IPV4_BLOCKS,
    IPV6_BLOCKS,
    METADATA,
    Address,
    Block,
    embedded,
    is_public,
)

LOCAL = EgressPolicy(EgressRule(), local=lambda _: False)
STRICT = EgressPolicy(parse_rule("strict"), local=lambda _: False)
BLOCKS = [*IPV4_BLOCKS, *IPV6_BLOCKS]
ADDRESS = st.one_of(
    st.integers(0, 2**32 - 1).map(IPv4Address),
    st.integers(0, 2**128 - 1).map(IPv6Address),
    st.sampled_from(BLOCKS).flatmap(
        lambda row: st.integers(0, row.network.num_addresses - 1).map(lambda n: row.network[n])
    ),
)


def beside(row: Block) -> list[Address]:
    """The addresses before and after a block, if any."""
    first, last = row.network[0], row.network[-1]
    found = []
    if int(first):
        found.append(first - 1)
    if int(last) < 2**first.max_prefixlen - 1:
        found.append(last + 1)
    return found


def longest(address: Address) -> Block | None:
    rows = [row for row in BLOCKS if row.network.version == address.version and address in row.network]
    return max(rows, key=lambda row: row.network.prefixlen, default=None)


@pytest.mark.parametrize("row", BLOCKS, ids=lambda row: str(row.network))
def test_a_block_begins_and_ends_as_in_the_registry(row: Block) -> None:
    for address in (row.network[0], row.network[-1]):
        most_special = longest(address)
        assert most_special is not None
        assert is_public(address) == most_special.reachable
        if not most_special.reachable:
            assert STRICT.refusal(str(address), 80) is not None
    for address in beside(row):
        deps = longest(address)
        unassigned = address.version == 6 and address not in IPv6Network("2000::/3")
        assert is_public(address) == (not unassigned if deps is None else deps.reachable)


NOT_PUBLIC = [
    "fec0::1", "feff:ffff::1", "64:ff9b:1::808:808", "64:ff9b:1:ffff::1", "::ffff:0:808:808", "192.88.99.1", "5f00::1", "3fff::1",
    "3fff:fff::1", "100::1", "100:0:0:1::1", "2002:808:808::1", "2001::1", "2001:db8::1", "4000::1", "200::1", "::8.8.8.8",
    "192.0.0.8", "192.0.0.170", "192.0.0.171", "192.0.0.11", "198.19.255.255", "100.127.255.255",
]  # fmt: skip
PUBLIC = [
    "8.8.8.8", "192.0.0.9", "192.0.0.10", "192.31.196.1", "192.52.193.1", "192.175.48.1", "2001:1::1", "2001:1::3", "2001:3::1",
    "2001:4:112::1", "2001:20::1", "2001:3f::1", "2620:4f:8000::1", "2606:4700::1111", "64:ff9b::808:808", "100.128.0.0", "198.20.0.0",
]  # fmt: skip


@pytest.mark.parametrize("ip", NOT_PUBLIC)
def test_strict_refuses_what_is_not_public(ip: str) -> None:
    assert STRICT.refusal(ip, 80) is not None


@pytest.mark.parametrize("ip", PUBLIC)
def test_strict_allows_what_is_public(ip: str) -> None:
    assert STRICT.refusal(ip, 80) is None


@given(ADDRESS)
def test_no_address_is_public_that_the_standard_library_calls_private(address: Address) -> None:
    """Its private blocks are correct, except for blocks in 2001::/23 that newer releases treat as reachable."""
    row = longest(address)
    if address.is_private and not (row is not None and row.reachable):
        assert not is_public(address)
    if is_public(address):
        assert not address.is_multicast
        assert not address.is_loopback
        assert not address.is_link_local
        assert not address.is_unspecified
        assert row is None or row.reachable


@pytest.mark.parametrize("metadata", sorted(map(str, METADATA)))
def test_metadata_is_refused_by_every_rule(metadata: str) -> None:
    anything = EgressPolicy(parse_rule("strict,0.0.0.0/0,::/0"))
    for policy in (LOCAL, STRICT, anything):
        for ip in [metadata, *(forms(IPv4Address(metadata)) if "." in metadata else [])]:
            assert policy.refusal(ip, 80) is not None, ip


def test_the_metadata_of_one_cloud_over_ipv6_and_its_neighbours() -> None:
    assert LOCAL.refusal("fd20:ce::254", 80) is not None
    assert LOCAL.refusal("fd20:ce::253", 80) is None


def forms(inner: IPv4Address) -> list[str]:
    """All forms of an IPv4 address inside an IPv6 address, by RFC 4291, 2765, 3056, 4380, 5214 and 6052."""
    n = int(inner)
    nat64 = int(IPv6Address("64:ff9b:1::"))
    values = [
        int(IPv6Address("::ffff:0:0")) | n,
        n,
        int(IPv6Address("::ffff:0:0:0")) | n,
        int(IPv6Address("2002::")) | n << 80 | 1,
        int(IPv6Address("2001::")) | n << 64 | 1,
        int(IPv6Address("2001::")) | 0x08080808 << 64 | n ^ 0xFFFFFFFF,
        int(IPv6Address("2600::")) | 0x00005EFE << 32 | n,
        int(IPv6Address("2600::")) | 0x02005EFE << 32 | n,
        int(IPv6Address("64:ff9b::")) | n,
        nat64 | n,
        nat64 | (n >> 16) << 64 | (n & 0xFFFF) << 40,
        nat64 | (n >> 24) << 64 | (n & 0xFFFFFF) << 32,
        nat64 | n << 24,
    ]
    return [str(IPv6Address(value)) for value in values]


@given(st.integers(1 << 24, 2**32 - 1).map(IPv4Address))
def test_an_address_is_refused_in_every_form(inner: IPv4Address) -> None:
    for policy in (LOCAL, STRICT):
        if policy.refusal(str(inner), 80) is not None:
            assert [ip for ip in forms(inner) if policy.refusal(ip, 80) is None] == []


@given(st.integers(1 << 24, 2**32 - 1).map(IPv4Address))
def test_every_form_is_parsed(inner: IPv4Address) -> None:
    for ip in forms(inner)[1:]:
        assert inner in set(embedded(IPv6Address(ip)))


@given(ADDRESS)
def test_an_address_without_an_embedded_ipv4_address_is_checked_alone(address: Address) -> None:
    if isinstance(address, IPv6Address) and address in IPv6Network("2600::/12"):
        isatap = int(address) >> 32 & 0xFFFFFFFF in (0x5EFE, 0x02005EFE)
        assert isatap or list(embedded(address)) == []


def test_loopback_and_unspecified_embed_nothing() -> None:
    assert [list(embedded(IPv6Address(ip))) for ip in ("::", "::1")] == [[], []]
    assert ip_address("::1") not in METADATA
