"""The position in a container's log, and which lines come after it. Pure.

The API gives the lines from a whole second on, in the order of the kubelet's file. A position is such a second, how many lines from that
second on have been read, and the times of the first and the last of them. The second lies a little before the newest line: both streams
of a container are written at once, so that times may run backwards for a moment. If the first line of the next answer is not the first
line of the position, the kubelet has rotated the file: lines may be missing, and the time alone tells which lines are new.

Source: Kubernetes API v1, PodLogOptions; Kubernetes documentation, "Logging Architecture".
"""

from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from jobd.jobs.port.model import LogCursor

MARGIN_S = 2
"""How far the times of a container's lines may run backwards."""


class Position(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The stored form. `since`: seconds since 1970; `lines`: read from then on; `first` and `last`: the times of the first and the last of
    these. `done`: bytes of the line after them that have been read.
    """

    since: int = 0
    lines: int = 0
    first: str = ""
    last: str = ""
    done: int = 0


def position_of(cursor: LogCursor) -> Position:
    """Returns the position of a stored cursor. Raises msgspec.MsgspecError."""
    return msgspec.json.decode(bytes(cursor), type=Position)


def cursor_of(position: Position) -> LogCursor:
    """Returns the stored form of a position."""
    return LogCursor(msgspec.json.encode(position))


def since_time(position: Position) -> str | None:
    """Returns the `sinceTime` of the request that continues from a position; None from the log's start."""
    if not position.lines:
        return None
    return datetime.fromtimestamp(position.since, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(slots=True)
class _Second:
    count: int
    order: int
    first: str


class Reading:
    """One answer to a request from a position on. For each line of the answer: `is_new`, then `over`; `part` between the two, for
    pieces of a line.
    """

    def __init__(self, start: Position) -> None:
        self.gap = False
        """Lines between the position and the first new line may be missing."""
        self._start = start
        self._to_skip = start.lines
        self._by_time = False
        self._order = 0
        self._newest = 0
        self._last = ""
        self._seconds: dict[int, _Second] = {}
        self._done = start.done

    @property
    def position(self) -> Position:
        """The position after what was read."""
        if self._to_skip or not self._seconds:
            return msgspec.structs.replace(self._start, done=self._done)
        first = min(self._seconds.values(), key=lambda one: one.order)
        return Position(
            since=max(0, self._newest - MARGIN_S),
            lines=sum(one.count for one in self._seconds.values()),
            first=first.first,
            last=self._last,
            done=self._done,
        )

    @property
    def done(self) -> int:
        """The bytes of the first new line that have been read before."""
        return self._done

    def is_new(self, time: str) -> bool:
        """Returns whether a line comes after the position."""
        if self._order == 0 and self._to_skip and time != self._start.first:
            self.gap, self._by_time, self._to_skip, self._done = True, True, 0, 0
        if self._by_time:
            self._by_time = _key(time) <= _key(self._start.last)
            return not self._by_time
        return self._to_skip == 0

    def part(self, size: int) -> None:
        """Counts bytes of a new line that is not over."""
        self._done += size

    def over(self, time: str) -> None:
        """Counts a line that is over, new or not."""
        if self._to_skip:
            self._to_skip -= 1
        elif not self._by_time:
            self._done = 0
        second = _second(time, self._newest)
        self._newest, self._last = max(self._newest, second), time
        found = self._seconds.setdefault(second, _Second(0, self._order, time))
        found.count += 1
        self._order += 1
        for old in [one for one in self._seconds if one < self._newest - MARGIN_S]:
            del self._seconds[old]


def _second(time: str, otherwise: int) -> int:
    try:
        return int(datetime.fromisoformat(time).timestamp() // 1)
    except ValueError:
        return otherwise


def _key(time: str) -> str:
    # RFC 3339 in UTC with nine digits, as the kubelet writes: texts are in the order of their times.
    whole, _, fraction = time.rstrip("Z").partition(".")
    return f"{whole}.{fraction:0<9}"
