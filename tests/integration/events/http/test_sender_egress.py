"""The sender refuses forbidden addresses, own listeners and unusable URLs."""

from typing import Any

import pytest

from jobd.clock import SystemClock
from jobd.events.http.egress import EgressPolicy, EgressRule, parse_rule
from jobd.events.http.sender import Sender
from tests.integration.events.http.conftest import BODY, KEY


@pytest.mark.parametrize(
    "host",
    ["169.254.169.254", "[::ffff:169.254.169.254]", "0.0.0.0", "0x0", "[::]", "[fe80::1]"],
)
async def test_forbidden_addresses_are_refused_in_every_spelling(sender: Sender, host: str) -> None:
    answer = await sender.send(f"http://{host}:80/", KEY, "e-1", BODY)
    assert answer.kind == "refused", answer
    assert "egress policy" in answer.text


@pytest.mark.parametrize("host", ["0", "0251.0376.0xa9fe", "2852039166", "169.254.43518", "127.1"])
async def test_numbers_that_are_no_address_are_refused(sender: Sender, host: str) -> None:
    answer = await sender.send(f"http://{host}:1/", KEY, "e-1", BODY)
    assert answer.kind in ("refused", "invalid")


async def test_own_listeners_are_refused_by_name_too(receivers: Any) -> None:
    receiver = await receivers()
    port = int(receiver.url.split(":")[2].split("/")[0])
    policy = EgressPolicy(EgressRule(), frozenset({("127.0.0.1", port)}))
    async with Sender(policy, SystemClock()) as sender:
        for host in ("127.0.0.1", "localhost", "host.docker.internal", "[::ffff:127.0.0.1]"):
            answer = await sender.send(f"http://{host}:{port}/hook", KEY, "e-1", BODY)
            assert answer.kind == "refused", (host, answer)
    assert receiver.got == []


async def test_strict_refuses_this_machine_and_allows_listed_networks(receivers: Any) -> None:
    receiver = await receivers()
    async with Sender(EgressPolicy(parse_rule("strict")), SystemClock()) as sender:
        assert (await sender.send(receiver.url, KEY, "e-1", BODY)).kind == "refused"
        assert (
            await sender.send(receiver.url.replace("127.0.0.1", "localhost"), KEY, "e-1", BODY)
        ).kind == "refused"
    async with Sender(EgressPolicy(parse_rule("strict,127.0.0.0/8")), SystemClock()) as sender:
        assert (await sender.send(receiver.url, KEY, "e-1", BODY)).status == 204


async def test_the_host_alias_works(sender: Sender, receivers: Any) -> None:
    receiver = await receivers()
    url = receiver.url.replace("127.0.0.1", "host.docker.internal")
    assert (await sender.send(url, KEY, "e-1", BODY)).status == 204
    assert receiver.got[0].headers["Host"].startswith("host.docker.internal:")


async def test_a_name_that_does_not_exist_is_a_network_error(sender: Sender) -> None:
    answer = await sender.send("http://no-such-name.invalid/", KEY, "e-1", BODY)
    assert answer.kind == "network"


@pytest.mark.parametrize("url", ["nonsense", "http://", "http://h:99999/", "ftp://127.0.0.1/"])
async def test_an_unusable_url_is_invalid_and_not_shown(sender: Sender, url: str) -> None:
    answer = await sender.send(url, "whsec_!!!", "e-1", BODY)
    assert answer.kind == "invalid"
    assert "!!!" not in answer.text
