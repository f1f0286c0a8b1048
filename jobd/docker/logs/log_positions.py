"""Finding a place again in a log that is read from anywhere before it. Pure.

A place is known by what stands there, never by comparing times: the engine stamps entries with its wall clock, which may be set
back or forth while a container runs. All that is taken for granted is that the clock does not show the same nanosecond twice
with the same text behind it.

A run is what a stream holds under one timestamp without another between: one line as a rule, or the pieces of a long one.
"""

from enum import Enum
from zlib import crc32

from jobd.docker.logs.log_cursors import Place
from jobd.jobs.port.model import StreamName


class Missing(Enum):
    """What is left of a place that a whole log does not hold."""

    GONE = "gone"
    """Nothing: all that the log holds comes after it."""
    DAMAGED = "damaged"
    """Its timestamp: the log holds the run, though not with what was read of it, or not what was before it."""


def run_check(before: str) -> int:
    """Returns the check of an empty run that follows a run of the stream with timestamp `before`; empty: it is the first."""
    return crc32(before.encode())


class Search:
    """The search for one place. Sees every entry of the log in order, until `reach` finds it.

    A run whose beginning is cut off, by rotation or since only the log's end is read, does not match: what is before it is
    part of the check. `damaged` searches for the run alone, and is content with the count of its bytes.
    """

    def __init__(self, place: Place, stream: StreamName, *, damaged: bool = False) -> None:
        self.stream = stream
        self._place = place
        self._time = place.timestamp.encode()
        self._exact = not damaged and place.check is not None
        self._damaged = damaged
        self._run = b""
        self._taken = 0
        self._check = 0
        self._met = False

    @property
    def missing(self) -> Missing:
        """What an unsuccessful search through a whole log has seen of the place."""
        return Missing.DAMAGED if self._met else Missing.GONE

    @property
    def passed(self) -> Place | None:
        """Where the log has ended within the run of a damaged place: this end."""
        return self.found if self._damaged and self._met else None

    @property
    def found(self) -> Place:
        """The place that was found, with its check in this log."""
        return Place(self._place.timestamp, self._taken, self._check)

    def reach(self, stream: StreamName, time: bytes, payload: bytes) -> int | None:
        """Returns how many bytes of the payload are before the place, if it is in this entry or right before it; else None."""
        if stream != self.stream:
            return None
        if time != self._run:
            if self._damaged and self._met:
                return 0  # the run has ended
            before, self._run = self._run, time
            self._taken, self._check = 0, crc32(before)
        if time != self._time:
            return None
        self._met = True
        head = payload[: max(self._place.taken - self._taken, 0)]
        rest = payload[len(head) :]
        if self._taken + len(head) < self._place.taken:
            self._count(head)
            return None
        if self._taken <= self._place.taken:
            self._count(head)
            if not self._exact or self._check == self._place.check:
                return len(head)
        self._count(rest)
        return None

    def _count(self, part: bytes) -> None:
        self._taken += len(part)
        self._check = crc32(part, self._check)
