"""Any text is a value or a ValueError with a short reason, and nothing else."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jobd.settings import parse

PARSERS: list[Callable[[str], Any]] = [
    parse.path,
    parse.state_dir,
    lambda text: parse.socket(text, Path("/s"), "/run"),
    parse.address,
    parse.not_empty,
    parse.flag,
    lambda text: parse.proxy(text, {"CALLBACK_PROXY_URL": text}, 1),
    parse.names,
    parse.extra_hosts,
    parse.concurrency,
    parse.log_format,
    parse.log_level,
    parse.timeout,
    parse.memory,
    parse.cpus,
]


@given(which=st.sampled_from(range(len(PARSERS))), text=st.text(max_size=200).filter(lambda t: "\0" not in t))
@example(which=0, text="~nobody-of-this-name/x")
@example(which=7, text="a..b")
@example(which=8, text="a:[::1")
def test_any_text_is_a_value_or_refused_with_a_reason(which: int, text: str) -> None:
    refused = None
    try:
        PARSERS[which](text)
    except ValueError as error:
        refused = str(error)
    assert refused is None or 0 < len(refused) < 400


@pytest.mark.parametrize(("host", "loopback"), [("localhost", True), ("::1", True), ("example.org", False)])
def test_loopback_is_an_address_and_one_name(host: str, loopback: bool) -> None:
    assert parse.is_loopback(host) is loopback
