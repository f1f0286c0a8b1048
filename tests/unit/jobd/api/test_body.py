"""Parameters of a query, and bodies that do not decode."""

from contextlib import suppress
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import MultiDict

from jobd.api.body import Parameters, decode
from jobd.errors import InvalidRequest
from jobd.wire.validation.body import BodyDecoder


def parameters(query: str) -> Parameters:
    pairs = MultiDict(parse_qsl(query, keep_blank_values=True))
    request: Any = SimpleNamespace(query=pairs)
    return Parameters(request)


def refusal(query: str, read: str, *arguments: Any) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        getattr(parameters(query), read)(*arguments)
    return caught.value


def test_absent_parameters_have_their_defaults() -> None:
    given = parameters("")
    assert given.text("a") is None
    assert given.text("a", "x") == "x"
    assert given.texts("a") == []
    assert given.number("a", 7, 0, 9) == 7
    assert given.optional_number("a", 0, 9) is None
    assert given.flag("a") is False
    assert given.one_of("a", frozenset("x")) is None
    assert given.timestamp("a") is None
    given.done()


@pytest.mark.parametrize(
    ("text", "value"), [("1", True), ("true", True), ("", True), ("0", False), ("false", False)]
)
def test_flags(text: str, value: bool) -> None:
    assert parameters(f"follow={text}").flag("follow") is value


@pytest.mark.parametrize("text", ["yes", "True", "2", "on", "01"])
def test_an_invalid_flag_is_refused(text: str) -> None:
    assert refusal(f"follow={text}", "flag", "follow").field == "follow"


@pytest.mark.parametrize("text", ["", "-1", "+1", "1.0", "1e3", " 1", "x", "10", "9" * 19, "0x1"])
def test_an_invalid_number_is_refused(text: str) -> None:
    assert refusal(f"limit={text.replace('+', '%2B')}", "number", "limit", 1, 1, 9).field == "limit"
    assert refusal(f"limit={text.replace('+', '%2B')}", "optional_number", "limit", 1, 9).field == "limit"


@given(st.integers(0, 10**18 - 1))
def test_every_number_in_bounds_is_read(number: int) -> None:
    assert parameters(f"after={number}").number("after", 0, 0, 10**18 - 1) == number


def test_a_duplicate_or_unknown_parameter_or_one_with_a_nul_is_refused() -> None:
    assert refusal("a=1&a=2", "text", "a").field == "a"
    assert refusal("a=%00", "text", "a").field == "a"
    assert refusal("&".join(["a=1"] * 65), "texts", "a").field == "a"
    assert parameters("a=1&a=2").texts("a") == ["1", "2"]
    read = parameters("a=1&b=2")
    read.text("a")
    with pytest.raises(InvalidRequest) as caught:
        read.done()
    assert caught.value.field == "b"


def test_one_of() -> None:
    allowed = frozenset({"stdout", "stderr"})
    assert parameters("stream=stderr").one_of("stream", allowed) == "stderr"
    error = refusal("stream=both", "one_of", "stream", allowed)
    assert str(error) == "stream must be one of stderr, stdout"


@pytest.mark.parametrize(
    "text",
    ["2030-01-31T12:00:00Z", "2030-01-31T12:00:00%2B00:00", "2030-01-31T14:00:00%2B02:00", "2030-01-31 12:00:00Z"],
)  # fmt: skip
def test_timestamps_have_a_time_zone(text: str) -> None:
    assert parameters(f"since={text}").timestamp("since") == datetime(2030, 1, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "text", ["", "now", "2030-01-31T12:00:00", "2030-01-31", "1969-12-31T00:00:00Z", "9999-01-01T00:00:00Z"]
)
def test_an_invalid_timestamp_is_refused(text: str) -> None:
    assert refusal(f"since={text}", "timestamp", "since").field == "since"


class Body(msgspec.Struct, forbid_unknown_fields=True):
    number: int
    parts: list[int] = []


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"{}", "number"),
        (b'{"number": "1"}', "number"),
        (b'{"number": 1, "x": 2}', "x"),
        (b'{"number": 1, "parts": [1, null]}', "parts[1]"),
        (b'{"number": null}', "number"),
        (b'{"number": 1, "x": null}', "x"),
        (b'{"number": 1, "number": 1}', "number"),
        (b"", None),
        (b"{", None),
        (b"\xff", None),
    ],
)
def test_a_body_that_does_not_decode_names_its_field(body: bytes, field: str | None) -> None:
    with pytest.raises(InvalidRequest) as caught:
        decode(body, BodyDecoder(Body))
    assert caught.value.field == field


@given(st.binary(max_size=200))
def test_no_body_raises_anything_else(body: bytes) -> None:
    with suppress(InvalidRequest):
        assert isinstance(decode(body, BodyDecoder(Body)), Body)
