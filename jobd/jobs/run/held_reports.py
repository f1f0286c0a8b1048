"""Reports of a sidecar that has begun its outputs while the worker's log is drained: they wait, since the exit event precedes theirs.

Owns their bound. The reports are in memory alone: after a crash jobd reads the sidecar's output again from its start.
"""

from collections.abc import Sequence

from jobd.jobs.state.facts import Fact
from jobd.store.errors import StaleJob

MAX_HELD_BYTES = 1 << 20


class HeldReports:
    """The held reports of one attempt, in order, as facts."""

    def __init__(self) -> None:
        self._facts: list[Fact] = []
        self._size_bytes = 0

    @property
    def facts(self) -> tuple[Fact, ...]:
        """The held reports."""
        return tuple(self._facts)

    def add(self, reports: Sequence[Fact], size_bytes: int) -> None:
        """Adds reports of `size_bytes` together.

        Raises:
            StaleJob: there are too many; the caller reads them again after the drain.
        """
        if self._size_bytes >= MAX_HELD_BYTES:
            raise StaleJob("too many reports wait for the worker's log; reading starts again after it")
        self._facts += reports
        self._size_bytes += size_bytes

    def clear(self) -> None:
        """The reports are stored."""
        self._facts, self._size_bytes = [], 0
