"""The lines of one stream of a log: text and raw bytes, the position after each line, the gap marks. Pure.

Owns when a line is complete, where a long line is cut, and how many bytes of a run have been read.
"""

from zlib import crc32

from jobd.docker.logs.log_cursors import START, Position, PositionedLine
from jobd.docker.logs.log_positions import run_check
from jobd.jobs.port.model import StreamName

LINE_BYTES = 64 * 1024
"""A longer line is cut; its text continues in the next line."""
PIECE_BYTES = 16 * 1024
"""A line whose entry has this size and no newline continues in the next entry."""
GAP = "the engine dropped lines from its log before they were read"


class StreamLines:
    """The lines of one stream, and how far it has been read: `taken` bytes of the run at `time`."""

    def __init__(self, stream: StreamName) -> None:
        self.last_entry = 0
        """The number of the last entry."""
        self.skipped = False
        """True if entries at or before the position were skipped."""
        self._counts_skipped = False
        self._stream = stream
        self._lost: Position | None = None
        """The position after which lines are missing, until a line carries the gap mark."""
        self._in_other_stream: Position | None = None
        self._silent = True
        self._reached = False
        self._overtaken = False
        self._time = ""
        self._taken = 0
        self._check: int | None = run_check("")
        self._text = b""
        self._piece_bytes = 0
        """The size of the last entry."""
        self._goes_on = False
        """True if the last entry continued the line of the entry before."""

    @property
    def is_level(self) -> bool:
        """True if all text so far is emitted: the stream is not within a line, and no gap mark is due."""
        return not self._text and (self._lost is None or self._may_be_silent)

    @property
    def _may_be_silent(self) -> bool:
        """True if nothing shows that the stream lost a line: the other stream's mark suffices."""
        return self._silent and not self.skipped

    def resume_at(self, position: Position) -> None:
        """The stream has been read up to this position."""
        if position.taken:  # else the stream is empty so far
            self._time, self._taken, self._check = position.timestamp, position.taken, position.check

    def recount(self) -> None:
        """Counts the bytes of the run from the log's start: the log changed before the position."""
        self._counts_skipped = True

    def skip(self, time: bytes, payload: bytes) -> None:
        """Skips an entry, which may belong to the run of the first line."""
        self.skipped = True
        if not self._counts_skipped:
            return
        stamp = time.decode("ascii", "replace")
        if stamp != self._time:
            self._check, self._taken = run_check(self._time), 0
            self._time = stamp
        self._taken += len(payload)
        self._check = crc32(payload, self._check or 0)

    def reach(self, position: Position, *, in_other_stream: bool) -> None:
        """The log was read up to this position, in this stream or, with `in_other_stream`, in the other one."""
        self._reached = True
        if in_other_stream:
            self._in_other_stream = position
        else:
            self.resume_at(position)

    def level_with(self, position: Position) -> None:
        """The other stream emitted a line up to whose position this stream has been read too."""
        self.reach(position, in_other_stream=True)
        self._overtaken = True

    def mark_lost(self, position: Position, *, silent: bool) -> None:
        """The first line gets a gap mark: lines after this position are missing. `silent`: the stream is empty so far."""
        self._lost, self._silent = position, silent

    def take(
        self, time: str, payload: bytes, size_bytes: int, number: int, level: bool, out: list[PositionedLine]
    ) -> None:
        """Adds `payload`, the last bytes of an entry of `size_bytes`, and emits the completed lines."""
        if time != self._time:
            # A new timestamp after a full entry, never seen from an engine: the line may continue, so emit it as partial.
            self.flush(out, partial=self._piece_bytes >= PIECE_BYTES)
            self._check, self._taken = run_check(self._time), 0
            self._time = time
        self._goes_on = self._taken > 0 or bool(self._text)
        self._piece_bytes = size_bytes
        self.last_entry = number
        if not size_bytes:
            self.flush(out)  # the entry was a newline alone, which the engine omitted
            return
        text = self._text + payload if self._text else payload
        start, size = 0, len(text)
        while start < size:
            end = text.find(b"\n", start, start + LINE_BYTES + 1)
            if end >= 0:
                self._emit(out, text[start : end + 1], end - start, level=level)
                start = end + 1
            elif size - start > LINE_BYTES:
                cut = _character_start(text, start, start + LINE_BYTES)
                self._emit(out, text[start:cut], cut - start, partial=True)
                start = cut
            else:
                break
        self._text = text[start:]

    def flush(self, out: list[PositionedLine], *, partial: bool = False) -> None:
        """Emits the incomplete line, not as level: entries of the other stream may follow its position."""
        self._flush(out, partial=partial, newline=True)

    def end(self, out: list[PositionedLine]) -> None:
        """Emits the last line of an ended container, which has no newline in the log."""
        # The engine never omits the newline of a line that is one entry, nor a newline after a full entry.
        unknown = self._goes_on and self._piece_bytes < PIECE_BYTES
        self._flush(out, newline=None if unknown else False)

    def _flush(self, out: list[PositionedLine], *, partial: bool = False, newline: bool | None) -> None:
        if self._text:
            text, self._text = self._text, b""
            self._emit(out, text, len(text), partial=partial, newline=newline)

    def mark(self, out: list[PositionedLine]) -> None:
        """Emits the gap mark if no line carried it; for a silent stream the other stream's mark suffices."""
        if self._lost is None or (self._overtaken and self._may_be_silent):
            return
        position = START
        if self._reached:
            own = self._time or (self._in_other_stream.timestamp if self._in_other_stream else "")
            position = Position(own, self._taken, self._check, self._in_other_stream)
        out.append(
            PositionedLine(self._stream, self._lost.timestamp, "", partial=True, gap=GAP, position=position)
        )
        self._lost = None

    def _emit(
        self,
        out: list[PositionedLine],
        taken: bytes,
        shown: int,
        *,
        partial: bool = False,
        level: bool = False,
        newline: bool | None = True,
    ) -> None:
        self._taken += len(taken)
        if self._check is not None:
            self._check = crc32(taken, self._check)
        line, raw = taken[:shown], None
        try:
            text = line.decode()
        except UnicodeDecodeError:
            text, raw = line.decode("utf-8", "replace"), line
        out.append(
            PositionedLine(
                stream=self._stream,
                time=self._time,
                text=text,
                position=Position(self._time, self._taken, self._check),
                partial=partial,
                gap=None if self._lost is None else GAP,
                level=level,
                raw=raw,
                newline=newline,
            )
        )
        self._lost = None


def _character_start(text: bytes, start: int, cut: int) -> int:
    """Returns the last index at or before `cut` that is not inside a UTF-8 character."""
    for back in range(4):
        at = cut - back
        if at <= start:
            break
        if text[at] & 0xC0 != 0x80:
            return at
    return cut
