"""The log for people is in columns and steers no terminal; the one for programs is JSON."""

import json
import logging
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobd.process.logs import JsonFormatter, TextFormatter, formatter


def record(message: str, level: int = logging.INFO, **fields: Any) -> logging.LogRecord:
    made = logging.LogRecord("jobd", level, __file__, 1, message, (), None)
    vars(made).update(fields)
    return made


@pytest.mark.parametrize(
    ("format", "is_terminal", "kind"),
    [
        ("auto", True, TextFormatter),
        ("auto", False, JsonFormatter),
        ("text", False, TextFormatter),
        ("json", True, JsonFormatter),
    ],
)
def test_the_format_is_chosen(format: str, is_terminal: bool, kind: type) -> None:
    assert type(formatter(format, is_terminal=is_terminal, environ={})) is kind


@pytest.mark.parametrize("environ", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_colour_is_for_terminals_that_want_it(environ: dict[str, str]) -> None:
    assert "\x1b[32mINFO" in formatter("text", is_terminal=True, environ={}).format(record("said"))
    assert "\x1b" not in formatter("text", is_terminal=True, environ=environ).format(record("said"))
    assert "\x1b" not in formatter("text", is_terminal=False, environ={}).format(record("said"))


def test_the_fields_of_lines_are_in_one_column() -> None:
    lines = [
        TextFormatter(colours=False).format(record(message, level, action="x y"))
        for message, level in (("short", logging.WARNING), ("somewhat longer", logging.INFO))
    ]
    assert len({line.index("action=") for line in lines}) == 1
    assert all(line.endswith('action="x y"') for line in lines)


@given(st.text(), st.text())
def test_nothing_that_is_logged_steers_a_terminal(message: str, value: str) -> None:
    line = TextFormatter(colours=False).format(record(message.replace("%", ""), field=value))
    assert line.isprintable()


def test_a_traceback_follows() -> None:
    try:
        raise ValueError("\x1b[2J")
    except ValueError:
        made = record("failed")
        made.exc_info = sys.exc_info()
    line = TextFormatter(colours=False).format(made)
    assert line.splitlines()[-1] == "ValueError: ?[2J"
    assert "Traceback" in json.loads(JsonFormatter().format(made))["exception"]
