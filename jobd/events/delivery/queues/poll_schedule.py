"""When the outbox poller reads each destination next: a bounded number, the earliest reads. Does no I/O."""

from collections.abc import Callable, ItemsView

MAX_DESTINATIONS = 4096
"""A scan of the outbox finds the others."""


class PollSchedule:
    """All times are observed times in milliseconds, which `now_ms` reads: no step of the wall clock moves a planned read."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self.now_ms = now_ms
        self._next: dict[str, int] = {}

    def __contains__(self, destination: str) -> bool:
        """True if a read of this destination is planned."""
        return destination in self._next

    def __len__(self) -> int:
        """How many reads are planned."""
        return len(self._next)

    def items(self) -> ItemsView[str, int]:
        """The planned reads: destination and time."""
        return self._next.items()

    def add(self, destination: str, at_ms: int) -> bool:
        """Plans a read at `at_ms`. False if an earlier read of the destination, or too many earlier reads, are planned."""
        known = self._next.get(destination)
        if known is not None and known <= at_ms:
            return False
        if known is None and len(self._next) >= MAX_DESTINATIONS:
            latest = max(self._next, key=self._next.__getitem__)
            if self._next[latest] <= at_ms:
                return False
            del self._next[latest]
        self._next[destination] = at_ms
        return True

    def remove(self, destination: str) -> None:
        """The read of this destination begins. Does nothing if earlier reads have displaced this one."""
        self._next.pop(destination, None)

    def wait_s(self, at_ms: int) -> float:
        """Seconds until `at_ms`; 0 if that time has passed."""
        return max(0, at_ms - self.now_ms()) / 1000

    def is_due(self, at_ms: int) -> bool:
        """True if `at_ms` has passed."""
        return at_ms <= self.now_ms()

    def is_overdue(self, destination: str) -> bool:
        """True if the planned read of this destination is late: its stored deliveries have waited longest."""
        return destination in self._next and self.is_due(self._next[destination])
