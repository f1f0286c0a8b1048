"""The egress policy, for every spelling of an address."""

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobd.events.http.egress import EgressPolicy, EgressRefused, EgressRule, is_local, parse_rule

LOCAL = EgressPolicy(EgressRule())
STRICT = EgressPolicy(parse_rule("strict,10.1.0.0/16,fd12::/16"))


@pytest.mark.parametrize(
    "ip", ["127.0.0.1", "::1", "10.0.0.1", "192.168.1.1", "172.17.0.1", "fd00::1", "8.8.8.8", "2600::1"]
)
def test_local_allows_this_machine_and_private_networks(ip: str) -> None:
    assert LOCAL.refusal(ip, 80) is None


NEVER = [
    "169.254.169.254",
    "169.254.1.1",
    "fe80::1",
    "fe80::1%eth0",
    "0.0.0.0",
    "0.1.2.3",
    "::",
    "224.0.0.1",
    "ff02::1",
    "255.255.255.255",
    "240.0.0.1",
    "100.100.100.200",
    "168.63.129.16",
    "fd00:ec2::254",
    "::ffff:169.254.169.254",
    "64:ff9b::169.254.169.254",
    "2002:a9fe:a9fe::1",
    "::169.254.169.254",
    "nonsense",
    "",
]


@pytest.mark.parametrize("ip", NEVER)
def test_some_addresses_are_never_allowed(ip: str) -> None:
    for policy in (LOCAL, STRICT, EgressPolicy(parse_rule("strict,0.0.0.0/0,::/0"))):
        assert policy.refusal(ip, 80) is not None
        with pytest.raises(EgressRefused):
            policy.check(ip, 80)


@pytest.mark.parametrize(
    "ip", ["127.0.0.1", "::1", "10.0.0.1", "192.168.1.1", "100.64.0.1", "fd00::1", "::ffff:10.0.0.1"]
)
def test_strict_means_public(ip: str) -> None:
    assert STRICT.refusal(ip, 80) is not None


@pytest.mark.parametrize("ip", ["8.8.8.8", "2600::1", "10.1.2.3", "fd12::5", "::ffff:10.1.2.3"])
def test_strict_allows_public_and_listed_networks(ip: str) -> None:
    assert STRICT.refusal(ip, 80) is None


@given(st.integers(0, 2**32 - 1).map(IPv4Address))
def test_ipv4_inside_ipv6_is_treated_as_ipv4(address: IPv4Address) -> None:
    for policy in (LOCAL, STRICT):
        plain = policy.refusal(str(address), 80)
        mapped = policy.refusal(f"::ffff:{address}", 80)
        assert (plain is None) == (mapped is None)
        if plain is not None:
            assert (
                policy.refusal(str(IPv6Address(int(IPv6Address("64:ff9b::")) + int(address))), 80) is not None
            )


def test_own_listeners_are_refused_on_their_port_alone() -> None:
    policy = EgressPolicy(EgressRule(), frozenset({("127.0.0.1", 8080), ("::1", 9090)}))
    assert policy.refusal("127.0.0.1", 8080) is not None
    assert policy.refusal("::ffff:127.0.0.1", 8080) is not None
    assert policy.refusal("127.0.0.1", 8081) is None
    assert policy.refusal("127.0.0.1", 9090) is None
    assert policy.refusal("::1", 9090) is not None


def test_a_listener_on_all_addresses_is_refused_on_each_of_them() -> None:
    policy = EgressPolicy(
        EgressRule(), frozenset({("0.0.0.0", 8080)}), local=lambda address: str(address) == "192.168.1.5"
    )
    assert policy.refusal("127.0.0.1", 8080) is not None
    assert policy.refusal("192.168.1.5", 8080) is not None
    assert policy.refusal("192.168.1.6", 8080) is None


def test_own_addresses_are_recognized() -> None:
    assert is_local(IPv4Address("127.0.0.1"))
    assert not is_local(IPv4Address("8.8.8.8"))


@pytest.mark.parametrize(
    "text", ["", "open", "local,10.0.0.0/8", "strict,", "strict,10.0.0.1/8", "strict,x", "STRICT"]
)
def test_an_invalid_rule_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be"):
        parse_rule(text)


def test_rules_are_read() -> None:
    assert parse_rule("local") == EgressRule()
    assert parse_rule("strict") == EgressRule("strict")
    assert [str(network) for network in parse_rule("strict, 10.0.0.0/8 ,fd00::/8").networks] == [
        "10.0.0.0/8",
        "fd00::/8",
    ]
