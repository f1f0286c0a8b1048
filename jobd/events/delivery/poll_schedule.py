"""When the outbox poller reads each destination next: a bounded number, the earliest reads. Does no I/O."""

from collections.abc import ItemsView
from datetime import datetime, timedelta

from jobd.clock import Clock

MAX_DESTINATIONS = 4096
"""A scan of the outbox finds the others."""


class PollSchedule:
    """`horizon_s`: the longest wait that jobd stores. A later due time was stored before the wall clock was set back."""

    def __init__(self, clock: Clock, horizon_s: float) -> None:
        self._clock = clock
        self._horizon = timedelta(seconds=horizon_s)
        self._next: dict[str, datetime] = {}

    def __contains__(self, destination: str) -> bool:
        """True if a read of this destination is planned."""
        return destination in self._next

    def __len__(self) -> int:
        """How many reads are planned."""
        return len(self._next)

    def items(self) -> ItemsView[str, datetime]:
        """The planned reads: destination and time."""
        return self._next.items()

    def add(self, destination: str, at: datetime) -> bool:
        """Plans a read at `at`. False if an earlier read of the destination, or too many earlier reads, are planned."""
        known = self._next.get(destination)
        if known is not None and known <= at:
            return False
        if known is None and len(self._next) >= MAX_DESTINATIONS:
            latest = max(self._next, key=self._next.__getitem__)
            if self._next[latest] <= at:
                return False
            del self._next[latest]
        self._next[destination] = at
        return True

    def remove(self, destination: str) -> None:
        """The read of this destination begins. Does nothing if earlier reads have displaced this one."""
        self._next.pop(destination, None)

    def is_due(self, at: datetime) -> bool:
        """True if `at` has passed, or is so far ahead that the wall clock must have been set back."""
        now = self._clock.now()
        return at <= now or at > now + self._horizon

    def is_overdue(self, destination: str) -> bool:
        """True if the planned read of this destination is late: its stored deliveries have waited longest."""
        return destination in self._next and self.is_due(self._next[destination])
