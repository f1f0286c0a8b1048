"""Finds a stored position again in a log that is read from an earlier point. Pure.

A position is identified by its text, never by comparing times: the engine stamps entries with its wall clock, which may be set
back or forward while a container runs. The one assumption: the clock does not show the same nanosecond twice before the same
text.

A run is the consecutive entries of a stream with one timestamp: usually one line, or the pieces of a long line.
"""

from enum import Enum
from zlib import crc32

from jobd.docker.logs.log_cursors import Position
from jobd.jobs.port.model import StreamName


class Missing(Enum):
    """What is left of a position that a whole log does not hold."""

    GONE = "gone"
    """Nothing: the whole log comes after the position."""
    DAMAGED = "damaged"
    """The timestamp: the log holds the run, but the text read from the run, or the run before it, differs."""


def run_check(before: str) -> int:
    """Returns the check of an empty run after a run with timestamp `before`; empty: the stream's first run."""
    return crc32(before.encode())


class Search:
    """The search for one position. `reach` gets every entry of the log in order, until the position is found.

    A run without its beginning, after rotation or if only the log's end is read, does not match: the check includes the
    timestamp before the run. `damaged`: matches the run by its timestamp and byte count only.
    """

    def __init__(self, position: Position, stream: StreamName, *, damaged: bool = False) -> None:
        self.stream = stream
        self._position = position
        self._time = position.timestamp.encode()
        self._exact = not damaged and position.check is not None
        self._damaged = damaged
        self._run = b""
        self._taken = 0
        self._check = 0
        self._met = False

    @property
    def missing(self) -> Missing:
        """What is left of the position after an unsuccessful search through a whole log."""
        return Missing.DAMAGED if self._met else Missing.GONE

    @property
    def passed(self) -> Position | None:
        """The log's end, if the log ended within the run of a damaged position."""
        return self.found if self._damaged and self._met else None

    @property
    def found(self) -> Position:
        """The found position, with its check in this log."""
        return Position(self._position.timestamp, self._taken, self._check)

    def reach(self, stream: StreamName, time: bytes, payload: bytes) -> int | None:
        """Returns the number of payload bytes before the position, if the position is in or right before this entry; else None."""
        if stream != self.stream:
            return None
        if time != self._run:
            if self._damaged and self._met:
                return 0  # the damaged run ended
            before, self._run = self._run, time
            self._taken, self._check = 0, run_check(before.decode())
        if time != self._time:
            return None
        self._met = True
        head = payload[: max(self._position.taken - self._taken, 0)]
        rest = payload[len(head) :]
        if self._taken + len(head) < self._position.taken:
            self._count(head)
            return None
        if self._taken <= self._position.taken:
            self._count(head)
            if not self._exact or self._check == self._position.check:
                return len(head)
        self._count(rest)
        return None

    def _count(self, part: bytes) -> None:
        self._taken += len(part)
        self._check = crc32(part, self._check)
