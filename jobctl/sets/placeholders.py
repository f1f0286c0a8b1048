"""Placeholders in the texts of a sweep: `{lr}` becomes a value of `lr`. Pure.

A placeholder is a name in one pair of braces. A name in two or more pairs is text, and loses one pair: `{{lr}}` means `{lr}`. All other
braces are text: those of JSON, of awk and of `${1}` need no escape. `{NAME.name}` is the last part of a path, `{NAME.stem}` the same
without its suffix.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

NAME = r"[A-Za-z_][A-Za-z0-9_]*"
_PLACEHOLDER = re.compile(rf"(\{{+)({NAME})(\.name|\.stem)?(\}}+)")


class UnknownPlaceholder(Exception):
    """`name` has no value; `text` has the placeholder."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(name)
        self.name = name
        self.text = text


def replaced(text: str, values: Mapping[str, str]) -> str:
    """Returns the text with the values in place of their placeholders. A value is not searched for placeholders.

    Raises:
        UnknownPlaceholder: a placeholder has no value.
    """

    def one(match: re.Match[str]) -> str:
        opening, name, part, closing = match.groups()
        depth = min(len(opening), len(closing))
        before, after = opening[depth:], closing[depth:]
        if depth > 1:
            return f"{before}{'{' * (depth - 1)}{name}{part or ''}{'}' * (depth - 1)}{after}"
        if name not in values:
            raise UnknownPlaceholder(name, text)
        return before + _part(values[name], part) + after

    return _PLACEHOLDER.sub(one, text)


def names_in(texts: Iterable[str]) -> set[str]:
    """Returns the names of the placeholders in these texts."""
    return {
        match[2]
        for text in texts
        for match in _PLACEHOLDER.finditer(text)
        if min(len(match[1]), len(match[4])) == 1
    }


def mapped(tree: Any, change: Callable[[str], str]) -> Any:
    """Returns a copy of a tree in which `change` is applied to each text, but not to the names of mappings."""
    if isinstance(tree, str):
        return change(tree)
    if isinstance(tree, dict):
        return {name: mapped(value, change) for name, value in tree.items()}
    return [mapped(item, change) for item in tree] if isinstance(tree, list) else tree


def texts_in(tree: Any) -> Iterable[str]:
    """Yields the texts that `mapped` changes."""
    if isinstance(tree, str):
        yield tree
    elif isinstance(tree, dict | list):
        for item in tree.values() if isinstance(tree, dict) else tree:
            yield from texts_in(item)


def _part(value: str, part: str | None) -> str:
    if part is None:
        return value
    last = value.rstrip("/").rpartition("/")[2]
    stem, dot, _ = last.rpartition(".")
    return stem if part == ".stem" and dot and stem else last
