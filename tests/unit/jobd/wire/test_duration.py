"""Durations as Go writes them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobd.wire.duration import format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("100ms", 0.1),
        ("10s", 10),
        ("1h30m", 5400),
        ("1m30s", 90),
        ("168h", 604_800),
        ("0", 0),
        ("0s", 0),
        ("+5s", 5),
        ("1.5h", 5400),
        (".5s", 0.5),
        ("1.s", 1),
        ("1us", 1e-6),
        ("1µs", 1e-6),
        ("1μs", 1e-6),
        ("1ns", 1e-9),
        ("1s1s", 2),
    ],
)
def test_durations_of_go_are_accepted(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds, rel=1e-12)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "+",
        "10",
        "1",
        "s",
        ".s",
        "-1s",
        "-0",
        "1 s",
        " 1s",
        "1s ",
        "1d",
        "1S",
        "1h30",
        "1,5s",
        "1e3s",
        "nan",
        "inf",
        "++1s",
        "0x1s",
        "٣s",
        "1s\n",
        "1" * 65 + "s",
    ],
)
def test_an_invalid_duration_is_refused_and_quoted(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration such as"):
        parse_duration(text)


def test_a_duration_over_a_hundred_years_is_refused() -> None:
    assert parse_duration("876000h") == 876_000 * 3600.0
    with pytest.raises(ValueError, match="longer than a hundred years"):
        parse_duration("876001h")
    with pytest.raises(ValueError, match="longer than a hundred years"):
        parse_duration("9" * 60 + "h")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (0.1, "100ms"),
        (0.0004, "0s"),
        (1, "1s"),
        (10.25, "10.25s"),
        (90, "1m30s"),
        (5400, "1h30m"),
        (3600, "1h"),
        (604_800, "168h"),
        (60.001, "1m0.001s"),
    ],
)
def test_a_duration_is_formatted_as_short_as_possible(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 100 * 365 * 24 * 3_600_000))
def test_a_formatted_duration_parses_to_the_same_millisecond(milliseconds: int) -> None:
    assert round(parse_duration(format_duration(milliseconds / 1000)) * 1000) == milliseconds


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=80) | st.text(alphabet="0123456789.hmsuµn+-", max_size=80))
def test_any_text_is_a_duration_or_a_value_error(text: str) -> None:
    try:
        seconds = parse_duration(text)
    except ValueError:
        return  # the other correct result
    assert 0 <= seconds <= 100 * 365 * 24 * 3600
