"""Which rows a command line chooses, and their order. Pure."""

import re
from collections.abc import Sequence


class UnknownNames(ValueError):
    """A command line names rows that do not exist; the text lists all rows."""


def select(words: Sequence[str], names: Sequence[str]) -> frozenset[str]:
    """Returns the chosen rows: all of `names` without words. The word `P1` chooses the row P1 and all rows P1-...; case does not matter.

    Raises:
        UnknownNames: a word chooses no row.
    """
    if not words:
        return frozenset(names)
    chosen = {word: [name for name in names if _chooses(word, name)] for word in words}
    unknown = [word for word, found in chosen.items() if not found]
    if unknown:
        raise UnknownNames(f"there is no {', '.join(unknown)}; the rows are {' '.join(names)}")
    return frozenset(name for found in chosen.values() for name in found)


def in_order(name: str) -> list[str | int]:
    """Returns the sort key by which P2 precedes P10."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", name)]


def _chooses(word: str, name: str) -> bool:
    word, name = word.casefold(), name.casefold()
    return name == word or name.startswith(f"{word}-")
