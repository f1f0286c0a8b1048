"""Validation errors: one problem of a request's field, and the translation of decoding errors into problems.

Pure. `validation/` decides which values are wrong.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

_PATH_IN_MESSAGE = re.compile(r"^(?P<text>.*?)(?: - at `(?P<path>\$.*)`)?$", re.DOTALL)
_UNKNOWN_FIELD = re.compile(r"^Object contains unknown field `(?P<field>.*)`$", re.DOTALL)
_MISSING_FIELD = re.compile(r"^Object missing required field `(?P<field>.*)`$", re.DOTALL)

_WRONG_WORD = re.compile(r"^Invalid enum value (?P<word>.*)$", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Problem:
    """One invalid field: its path, such as `artifacts[0].out`, and what is wrong or how to correct it."""

    field: str
    message: str


class InvalidSpec(ValueError):
    """An invalid spec. `problems` has at least one entry; an API error shows the first one."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(f"{p.field}: {p.message}" if p.field else p.message for p in problems))
        self.problems = problems


def _unknown(field: str) -> str | None:
    return None


def problem_of(
    error: msgspec.DecodeError,
    suggest: Callable[[str], str | None] = _unknown,
    permitted: Callable[[str], str | None] = _unknown,
) -> Problem:
    """Translates a decoding error: `$.artifacts[0]`, unknown `x` -> the field `artifacts[0].x`. `suggest` returns the known field that
    an unknown one resembles, `permitted` the values that a field may have.
    """
    match = _PATH_IN_MESSAGE.match(str(error))
    text, path = (match["text"], match["path"] or "$") if match else (str(error), "$")
    field = path.removeprefix("$").removeprefix(".")
    within = f"{field}." if field else ""
    if unknown := _UNKNOWN_FIELD.match(text):
        name = within + (unknown["field"] or '""')
        suggestion = suggest(name)
        return Problem(
            name,
            f"unknown field; did you mean {suggestion}?"
            if suggestion
            else "unknown field; remove it or correct its name",
        )
    if missing := _MISSING_FIELD.match(text):
        return Problem(within + missing["field"], "is required")
    if text.startswith("Invalid value") and field.endswith("type"):
        text = (
            "unknown artifact type; use one of download, write, unarchive, upload, read, archive, list, job"
        )
    if (wrong := _WRONG_WORD.match(text)) and (values := permitted(field)):
        return Problem(field, f"must be {values}, and {wrong['word']} is not")
    if text.startswith(("JSON is malformed", "Input data was truncated")):
        return Problem("", f"the body is not JSON: {text.removeprefix('JSON is malformed: ')}")
    return Problem(field.replace("[...]", ""), text[:1].lower() + text[1:])
