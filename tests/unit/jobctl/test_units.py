"""Amounts as people type them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobctl.units import (
    age,
    bytes_text,
    memory_mb,
    parse_time,
    seconds_of,
    short_duration,
    size_bytes,
    time_before,
    whole_seconds,
)

NOW = datetime(2030, 1, 31, 8, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "mb"),
    [
        ("512m", 512),
        ("1.5g", 1536),
        ("1k", 1),
        ("1048577b", 2),
        ("2G", 2048),
        ("64MiB", 64),
        ("64mb", 64),
        (" 8 m ", 8),
    ],
)
def test_memory_amounts_are_parsed(text: Any, mb: Any) -> None:
    assert memory_mb(text) == mb


@given(st.integers(1, 1 << 40), st.sampled_from("bkmg"))
def test_memory_is_rounded_up_and_never_down(amount: Any, unit: Any) -> None:
    size = amount * {"b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}[unit]
    if size >= 1 << 60:
        return
    assert 0 <= memory_mb(f"{amount}{unit}") * (1 << 20) - size < 1 << 20


@pytest.mark.parametrize("text", ["512", "", "m", "-1m", "0m", "1t", "1e3m", "٣m", "9" * 30 + "g"])
def test_invalid_amounts_of_memory_are_refused(text: Any) -> None:
    with pytest.raises(ValueError):
        memory_mb(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90), ("90s", 90), ("1h30m", 5400), ("1ms", 1), ("2.5", 3), ("1d", 86400), ("2w", 1209600), ("1w2d3h", 788400),
        ("1.5d", 129600), ("1d1ms", 86401),
    ],
)  # fmt: skip
def test_whole_seconds(text: Any, seconds: Any) -> None:
    assert whole_seconds(text) == seconds


@pytest.mark.parametrize(
    "text",
    ["d", "1d2w", "1h1d", "1d1", "-1d", "1d ", "1y", "101w99999d", "999999999w", "1d1d", "\u0663d", ""],
)
def test_invalid_durations_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a duration such as 90s, 1h30m, 7d or 2w|hundred years"):
        seconds_of(text)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("10m", NOW - timedelta(minutes=10)),
        ("2030-01-31T08:00:00Z", NOW),
        ("2030-01-31T09:00:00+01:00", NOW),
        ("2030-01-31 08:00:00", NOW),
    ],
)
def test_since_selects_lines_by_time(text: Any, moment: Any) -> None:
    assert time_before(text, NOW) == moment


@given(st.text(max_size=20))
def test_since_parses_or_refuses(text: Any) -> None:
    try:
        assert time_before(text, NOW).tzinfo is UTC
    except ValueError:
        pass


@given(st.floats(-10, 10**8), st.floats(-10, 10**8))
def test_durations_are_short_and_in_order_of_magnitude(a: Any, b: Any) -> None:
    assert len(short_duration(a)) <= 7
    units = "smhd"
    if a < b:
        assert units.index(short_duration(a)[-1]) <= units.index(short_duration(b)[-1]) or b < 86400


def test_times_and_sizes() -> None:
    assert age("2030-01-31T07:57:00.000000Z", NOW) == "3m"
    assert age(None, NOW) == "-"
    assert parse_time("yesterday") is None
    assert [bytes_text(n) for n in (0, 1023, 1536, 5 << 30, 3 << 40)] == [
        "0 B",
        "1023 B",
        "1.5 KiB",
        "5.0 GiB",
        "3.0 TiB",
    ]


@pytest.mark.parametrize(
    ("text", "size"), [("0", 0), ("1024", 1024), ("500m", 500 << 20), ("1.5k", 1536), ("2T", 2 << 40), ("3GiB", 3 << 30), ("7b", 7)]
)  # fmt: skip
def test_sizes(text: str, size: int) -> None:
    assert size_bytes(text) == size


@pytest.mark.parametrize("text", ["", "m", "-1", "1e9", "1x", "1.", "٣", "9" * 400, "inf"])
def test_invalid_sizes_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a size"):
        size_bytes(text)
