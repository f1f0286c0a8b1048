"""Which rows of jobs are known to be damaged: found by looking at all of them in turn, some at a time, and at those that are listed.

Owns the numbers. A damaged row changes no index, so a list of what is under way cannot find it by itself.
"""

from collections.abc import Iterable

MOST_KNOWN = 10_000
"""Numbers that are kept. A disk that damages more is another matter."""


class DamagedRows:
    """The numbers of damaged rows, as of the last time that all rows were looked at, and what was found since."""

    def __init__(self) -> None:
        self._known: set[int] = set()
        self._found: set[int] = set()
        self.looked_at = 0
        """The number of the row that was looked at last in this turn."""

    @property
    def known(self) -> frozenset[int]:
        """The numbers that a list adds. A row that is whole again, or gone, may still be among them."""
        return frozenset(self._known)

    def add(self, numbers: Iterable[int]) -> None:
        """Takes in damaged rows that somebody has come across."""
        for number in numbers:
            if len(self._known) < MOST_KNOWN:
                self._known.add(number)

    def looked(self, numbers: Iterable[int], last: int | None) -> None:
        """Takes in the damaged ones of the rows up to `last`; None: the turn is over, and what it did not find is forgotten."""
        numbers = list(numbers)
        self.add(numbers)
        if len(self._found) < MOST_KNOWN:
            self._found.update(numbers)
        if last is None:
            self._known, self._found = self._found, set()
        self.looked_at = last or 0
