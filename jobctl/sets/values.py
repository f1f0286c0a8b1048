"""The values of a sweep: `--each NAME=VALUES`, and their product. Pure.

VALUES are separated by commas. `1..5` and `0..100..10` count, also downwards; `01..10` keeps the width. A backslash makes the next
character plain: a comma, or a dot of a text that would count.
"""

import re
from collections.abc import Iterator, Sequence

from jobctl.errors import Misuse
from jobctl.sets.placeholders import NAME
from jobctl.value import Value

MOST_JOBS = 10_000
"""The most jobs of one sweep."""
RESERVED = ("set", "index")
"""Placeholders that every sweep has."""
_NAME = re.compile(rf"{NAME}\Z")
_RANGE = re.compile(r"(-?\d{1,15})\.\.(-?\d{1,15})(?:\.\.(\d{1,15}))?\Z", re.ASCII)


class Axis(Value):
    """One name and its values. `flag`: where they come from, for messages."""

    name: str
    values: tuple[str, ...]
    flag: str


def each(text: str) -> Axis:
    """Returns the axis of `--each NAME=VALUES`. Raises Misuse: the text has another form, or no value."""
    name, equals, listed = text.partition("=")
    if not equals or not _NAME.match(name):
        raise Misuse(
            f"--each {text!r} must be NAME=VALUES", hint="for instance: --each lr=0.1,0.01 --each seed=1..5"
        )
    flag = f"--each {name}"
    values = tuple(values_of(listed, flag))
    return axis(name, values, flag)


def axis(name: str, values: tuple[str, ...], flag: str) -> Axis:
    """Returns an axis. Raises Misuse: the name is reserved, there is no value, or there are too many."""
    if name in RESERVED:
        raise Misuse(f"{flag}: {{{name}}} is the sweep's own placeholder; choose another name")
    if not values:
        raise Misuse(f"{flag} has no values")
    _check_count(len(values), flag)
    return Axis(name, values, flag)


def values_of(text: str, flag: str) -> Iterator[str]:
    """Yields the values of a list such as `a,b,1..5`. Raises Misuse: a value is empty, or a range has too many values."""
    for item, is_plain in _items(text):
        if not item:
            raise Misuse(f"{flag} has an empty value", hint="a variable of the shell may be empty")
        match = None if is_plain else _RANGE.match(item)
        if match is None:
            yield item
        else:
            yield from _counted(match[1], match[2], match[3] or "1", flag)


def product(axes: Sequence[Axis]) -> list[dict[str, str]]:
    """Returns every combination of values; the last axis changes first, as in nested loops. Raises Misuse: a name is given twice, or there are
    more than `MOST_JOBS` combinations.
    """
    count, names = 1, set[str]()
    for one in axes:
        if one.name in names:
            raise Misuse(
                f"{one.flag} is given twice", hint="give all values of a name at once: --each lr=0.1,0.01"
            )
        names.add(one.name)
        count *= len(one.values)
    _check_count(count, "the sweep")
    found: list[dict[str, str]] = [{}]
    for one in axes:
        found = [{**chosen, one.name: value} for chosen in found for value in one.values]
    return found


def name_and_source(text: str, flag: str, default: str) -> tuple[str, str]:
    """Returns the name and the rest of `[NAME=]SOURCE`. Raises Misuse: there is no source."""
    name, equals, source = text.partition("=")
    if not (equals and _NAME.match(name)):
        name, source = default, text
    if not source:
        raise Misuse(f"{flag} {text!r} names no source")
    return name, source


def _check_count(count: int, what: str) -> None:
    if count > MOST_JOBS:
        raise Misuse(f"{what} has {count} jobs; a sweep may have at most {MOST_JOBS}")


def _items(text: str) -> Iterator[tuple[str, bool]]:
    """Yields the parts between commas without backslashes, and whether a part had one."""
    item, escaped, plain = "", False, False
    for char in text:
        if escaped:
            item, escaped = item + char, False
        elif char == "\\":
            escaped = plain = True
        elif char == ",":
            yield item, plain
            item, plain = "", False
        else:
            item += char
    yield item + ("\\" if escaped else ""), plain


def _counted(first: str, last: str, by: str, flag: str) -> Iterator[str]:
    begin, end, step = int(first), int(last), int(by)
    if not step:
        raise Misuse(f"{flag}: {first}..{last}..{by} never ends; the step must be at least 1")
    _check_count(abs(end - begin) // step + 1, flag)
    padded = any(text.lstrip("-").startswith("0") and len(text.lstrip("-")) > 1 for text in (first, last))
    width = max(len(first), len(last)) if padded else 0
    down = begin > end
    for number in range(begin, end - 1 if down else end + 1, -step if down else step):
        yield f"{number:0{width}d}" if padded else str(number)
