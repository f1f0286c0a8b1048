"""Parses the engine's log stream into lines with their positions.

Pure: the lines are the same for every way of cutting the bytes into pieces. Owns the engine's timestamps, the positions of
lines, and the gap marks for missing lines. `log_positions.py` finds a stored position again.

The engine's format: an entry is one line or 16 KiB of a line, and starts with its timestamp from the wall clock; all entries of
one long line share a timestamp; entries of both streams are in one order. An entry ends with the line's newline, except that the
log driver `local` of older engines omits the newline of a line of several entries: such a line ends when its last entry is
shorter than 16 KiB and another line follows.

Source: Docker Engine API, ContainerLogs.
"""

from collections.abc import Iterator, Mapping

from jobd.docker.logs.frames import DamagedLog, Frames
from jobd.docker.logs.log_cursors import Position, PositionedLine, Positions
from jobd.docker.logs.log_positions import Missing, Search
from jobd.docker.logs.raw_entries import RawEntries
from jobd.docker.logs.stream_lines import StreamLines
from jobd.jobs.port.model import StreamName

BATCH_LINES = 1000

_TIME_BYTES = 64
_OTHER: Mapping[StreamName, StreamName] = {"stdout": "stderr", "stderr": "stdout"}


class LogReader:
    """Reads one log stream, which starts before the positions, and returns the lines after them.

    `missing`: the streams whose position the whole log did not hold, and what was left of the position: such a stream is read
    from the log's start, or from the rest of its position, with a mark. Holds at most one incomplete frame and one incomplete
    line a stream. `raw`: the log of a container with a terminal, without frames.
    """

    def __init__(
        self,
        positions: Positions,
        missing: Mapping[StreamName, Missing] | None = None,
        *,
        raw: bool = False,
    ) -> None:
        self.entries = 0
        """The number of entries so far."""
        self._frames: Frames | RawEntries = RawEntries() if raw else Frames()
        self._lines: dict[StreamName, StreamLines] = {
            "stdout": StreamLines("stdout"),
            "stderr": StreamLines("stderr"),
        }
        self._waiting: dict[StreamName, Search] = {}
        searches: dict[tuple[StreamName, Position], Search] = {}
        for stream, own in positions.items():
            at, position = (
                (stream, own) if own.in_other_stream is None else (_OTHER[stream], own.in_other_stream)
            )
            if not position.timestamp:
                continue
            how = missing.get(stream) if missing else None
            if how is not None:
                self._lines[stream].mark_lost(position, silent=not own.taken)
            if how is Missing.GONE:
                continue
            if how is Missing.DAMAGED and at != stream:
                self._lines[stream].recount()
            else:
                self._lines[stream].resume_at(own)
            key = (at, position)
            if key not in searches:
                searches[key] = Search(position, at, damaged=how is Missing.DAMAGED)
            self._waiting[stream] = searches[key]

    @property
    def cut(self) -> bool:
        """True if the bytes so far end within a frame."""
        return self._frames.cut

    @property
    def located(self) -> bool:
        """True if every position is found."""
        return not self._waiting

    @property
    def settled(self) -> bool:
        """At the end of a whole log: True if the log ended within the run of each remaining damaged position."""
        return all(search.passed is not None for search in self._waiting.values())

    @property
    def missing(self) -> dict[StreamName, Missing]:
        """At the end of a whole log: the streams whose position was not found."""
        return {stream: search.missing for stream, search in self._waiting.items()}

    def feed(self, data: bytes) -> list[PositionedLine]:
        """Returns the lines that `data` completes, in the order of the log.

        Raises: DamagedLog.
        """
        return self._taken(self._frames.feed(data))

    def feed_end(self) -> list[PositionedLine]:
        """Returns the lines of an entry whose end only the end of the whole log shows. Raises: DamagedLog."""
        return self._taken(self._frames.end()) if isinstance(self._frames, RawEntries) else []

    def _taken(self, entries: Iterator[tuple[StreamName, bytes]]) -> list[PositionedLine]:
        out: list[PositionedLine] = []
        for stream, entry in entries:
            time, space, payload = entry.partition(b" ")
            if not space or len(time) > _TIME_BYTES:
                raise DamagedLog("an entry has no timestamp")
            self.entries += 1
            size = len(payload)
            if self._waiting:
                payload = self._after_position(stream, time, payload)
                if not payload and (size or stream in self._waiting):
                    self._lines[stream].skip(time, entry[-size:] if size else b"")
                    continue
            other = _OTHER[stream]
            level = other not in self._waiting and self._lines[other].is_level
            count = len(out)
            stamp = time.decode("ascii", "replace")
            self._lines[stream].take(stamp, payload, size, self.entries, level, out)
            if level and len(out) > count and out[-1].time == stamp:
                self._lines[other].level_with(out[-1].position)
        return out

    def end(self) -> list[PositionedLine]:
        """At the end of an ended container's log: returns the last lines without a newline."""
        out: list[PositionedLine] = []
        for lines in sorted(self._lines.values(), key=lambda lines: lines.last_entry):
            lines.end(out)
        return out

    def marks(self) -> list[PositionedLine]:
        """At the end of a whole log: returns the gap marks that no line has carried."""
        for stream, search in self._waiting.items():
            if search.passed is not None:
                self._lines[stream].reach(search.passed, in_other_stream=search.stream != stream)
        out: list[PositionedLine] = []
        for lines in self._lines.values():
            lines.mark(out)
        return out

    def _after_position(self, stream: StreamName, time: bytes, payload: bytes) -> bytes:
        """Returns the part of an entry after the position of its stream."""
        skipped = 0
        for search in set(self._waiting.values()):
            before = search.reach(stream, time, payload)
            if before is None:
                continue
            for waiting in [name for name, its in self._waiting.items() if its is search]:
                del self._waiting[waiting]
                if waiting == search.stream:
                    skipped = before
                self._lines[waiting].reach(search.found, in_other_stream=waiting != search.stream)
        return b"" if stream in self._waiting else payload[skipped:]
