"""The numbers of the known damaged rows of jobs: those that a scan of all rows has found, some rows at a time, and those that lists
have met. Damage changes no index, so a list of running jobs cannot find a damaged row by a query.
"""

from collections.abc import Iterable

MAX_KNOWN = 10_000
"""The most numbers that are remembered."""


class DamagedRows:
    """The damaged rows of the last complete scan, and those found since."""

    def __init__(self) -> None:
        self._known: set[int] = set()
        self._found: set[int] = set()
        self.scanned_up_to = 0
        """The number of the last row that the current scan has checked."""

    @property
    def known(self) -> frozenset[int]:
        """The numbers that a list adds to its query. They may include rows that were removed since."""
        return frozenset(self._known)

    def add(self, numbers: Iterable[int]) -> None:
        """Adds damaged rows that were met outside of a scan."""
        for number in numbers:
            if len(self._known) < MAX_KNOWN:
                self._known.add(number)

    def add_scanned(self, numbers: Iterable[int], last: int | None) -> None:
        """Adds the damaged rows that the scan has found up to the row `last`. None: the scan is complete, and rows that it has not
        found are removed.
        """
        numbers = list(numbers)
        self.add(numbers)
        if len(self._found) < MAX_KNOWN:
            self._found.update(numbers)
        if last is None:
            self._known, self._found = self._found, set()
        self.scanned_up_to = last or 0
