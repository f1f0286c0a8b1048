"""The engine's log stream as lines with their places.

Pure: bytes in whatever pieces they arrive go in, whole lines come out, the same for every cutting of the bytes. Owns
the engine's timestamps, the places of lines, and the mark where lines are missing. Where a place is found again is in
`log_positions.py`.

What is known of the engine: an entry is one line or 16 KiB of one; it starts with its timestamp, which is the wall clock's at
that moment; all entries of one long line share theirs; entries of both streams stand in one order. An entry ends with the line's
newline, but for the log driver `local` of older engines, which leaves out the newline of a line of several entries: such a line
has ended where its last entry is shorter than 16 KiB and another line follows.

Source: Docker Engine API, ContainerLogs.
"""

from collections.abc import Mapping
from zlib import crc32

from jobd.docker.logs.frames import DamagedLog, Frames
from jobd.docker.logs.log_cursors import START, Place, PlacedLine, Places
from jobd.docker.logs.log_positions import Missing, Search, run_check
from jobd.jobs.port.model import StreamName

LINE_BYTES = 64 * 1024
"""Text beyond this is cut and goes on in the next line."""
PIECE_BYTES = 16 * 1024
"""An entry without a newline that holds as much goes on in the next one."""
BATCH_LINES = 1000
GAP = "the engine dropped lines from its log before they were read"

_TIME_BYTES = 64
_OTHER: Mapping[StreamName, StreamName] = {"stdout": "stderr", "stderr": "stdout"}


class LogReader:
    """Reads one log stream, which starts before the places, and gives the lines after them.

    `missing` says of which streams the whole log did not hold the place, and what it held of it: these are read from the log's
    start, or from what is left of their place, with a mark. Holds at most one unfinished frame and one unfinished line a stream.
    """

    def __init__(self, places: Places, missing: Mapping[StreamName, Missing] | None = None) -> None:
        self.entries = 0
        """How many entries have come."""
        self._frames = Frames()
        self._lines: dict[StreamName, _Lines] = {"stdout": _Lines("stdout"), "stderr": _Lines("stderr")}
        self._waiting: dict[StreamName, Search] = {}
        searches: dict[tuple[StreamName, Place], Search] = {}
        for stream, own in places.items():
            at, place = (stream, own) if own.beside is None else (_OTHER[stream], own.beside)
            if not place.timestamp:
                continue
            how = missing.get(stream) if missing else None
            if how is not None:
                self._lines[stream].lose(place, silent=not own.taken)
            if how is Missing.GONE:
                continue
            if how is Missing.DAMAGED and at != stream:
                self._lines[stream].count_anew()
            else:
                self._lines[stream].go_on(own)
            key = (at, place)
            if key not in searches:
                searches[key] = Search(place, at, damaged=how is Missing.DAMAGED)
            self._waiting[stream] = searches[key]

    @property
    def cut(self) -> bool:
        """True where the bytes so far end within a frame."""
        return self._frames.cut

    @property
    def located(self) -> bool:
        """True where no place is searched for any more."""
        return not self._waiting

    @property
    def settled(self) -> bool:
        """True where, at the end of a whole log, nothing is left to be searched for."""
        return all(search.passed is not None for search in self._waiting.values())

    @property
    def missing(self) -> dict[StreamName, Missing]:
        """The streams whose place was not found: of a whole log, at its end."""
        return {stream: search.missing for stream, search in self._waiting.items()}

    def feed(self, data: bytes) -> list[PlacedLine]:
        """Returns the lines that `data` completes, in the order of the log.

        Raises: DamagedLog.
        """
        out: list[PlacedLine] = []
        for stream, entry in self._frames.feed(data):
            time, space, payload = entry.partition(b" ")
            if not space or len(time) > _TIME_BYTES:
                raise DamagedLog("an entry has no timestamp")
            self.entries += 1
            size = len(payload)
            if self._waiting:
                payload = self._after_place(stream, time, payload)
                if not payload and (size or stream in self._waiting):
                    self._lines[stream].pass_over(time, entry[-size:] if size else b"")
                    continue
            other = _OTHER[stream]
            level = other not in self._waiting and self._lines[other].is_level
            count = len(out)
            stamp = time.decode("ascii", "replace")
            self._lines[stream].take(stamp, payload, size, self.entries, level, out)
            if level and len(out) > count and out[-1].time == stamp:
                self._lines[other].level_with(out[-1].place)
        return out

    def end(self) -> list[PlacedLine]:
        """Returns the last lines that have no newline: of an ended container's log, at its end."""
        out: list[PlacedLine] = []
        for lines in sorted(self._lines.values(), key=lambda lines: lines.last_entry):
            lines.end(out)
        return out

    def marks(self) -> list[PlacedLine]:
        """Returns the marks that no line has carried: at the end of a whole log."""
        for stream, search in self._waiting.items():
            if search.passed is not None:
                self._lines[stream].reach(search.passed, beside=search.stream != stream)
        out: list[PlacedLine] = []
        for lines in self._lines.values():
            lines.mark(out)
        return out

    def _after_place(self, stream: StreamName, time: bytes, payload: bytes) -> bytes:
        """Returns what of an entry is after the place of its stream."""
        skipped = 0
        for search in set(self._waiting.values()):
            before = search.reach(stream, time, payload)
            if before is None:
                continue
            for waiting in [name for name, its in self._waiting.items() if its is search]:
                del self._waiting[waiting]
                if waiting == search.stream:
                    skipped = before
                self._lines[waiting].reach(search.found, beside=waiting != search.stream)
        return b"" if stream in self._waiting else payload[skipped:]


class _Lines:
    """The lines of one stream, and how far it has been read: `taken` bytes of the run at `time`."""

    def __init__(self, stream: StreamName) -> None:
        self.last_entry = 0
        """The number of the last entry that was taken."""
        self.skipped = False
        """True where entries were passed over that are before the place, or stand where it was."""
        self._counts_skipped = False
        self._stream = stream
        self._lost: Place | None = None
        """The place after which lines are missing, until a line says so."""
        self._beside: Place | None = None
        self._silent = True
        self._placed = False
        self._overtaken = False
        self._time = ""
        self._taken = 0
        self._check: int | None = run_check("")
        self._text = b""
        self._piece_bytes = 0
        """The size of the last entry."""
        self._goes_on = False
        """True where the last entry went on with the line of the one before."""

    @property
    def is_level(self) -> bool:
        """True where all that the stream holds so far is given: it is not within a line, and owes no mark."""
        return not self._text and (self._lost is None or self._may_be_silent)

    @property
    def _may_be_silent(self) -> bool:
        """True where nothing shows that the stream has lost a line: the other's mark is enough."""
        return self._silent and not self.skipped

    def go_on(self, place: Place) -> None:
        """The stream has been read up to here."""
        if place.taken:  # else it has printed nothing
            self._time, self._taken, self._check = place.timestamp, place.taken, place.check

    def count_anew(self) -> None:
        """The bytes of the run are counted from the log's start: the log has changed before the place."""
        self._counts_skipped = True

    def pass_over(self, time: bytes, payload: bytes) -> None:
        """An entry was skipped. It may be of the run that the first line goes on with."""
        self.skipped = True
        if not self._counts_skipped:
            return
        stamp = time.decode("ascii", "replace")
        if stamp != self._time:
            self._check, self._taken = run_check(self._time), 0
            self._time = stamp
        self._taken += len(payload)
        self._check = crc32(payload, self._check or 0)

    def reach(self, place: Place, *, beside: bool) -> None:
        """The log was read up to this place, in this stream or beside it."""
        self._placed = True
        if beside:
            self._beside = place
        else:
            self.go_on(place)

    def level_with(self, place: Place) -> None:
        """A line of the other stream has been given, whose place is good for this stream too."""
        self.reach(place, beside=True)
        self._overtaken = True

    def lose(self, place: Place, *, silent: bool) -> None:
        """The first line is to say that some after this place are missing. `silent`: the stream has printed nothing so far."""
        self._lost, self._silent = place, silent

    def take(
        self, time: str, payload: bytes, size_bytes: int, number: int, level: bool, out: list[PlacedLine]
    ) -> None:
        """Takes `payload`, the last bytes of an entry of `size_bytes`, and gives the lines that it completes."""
        if time != self._time:
            # After a full entry, not seen of this engine: a new time within a line. It goes on, so say so and lose nothing.
            self.flush(out, partial=self._piece_bytes >= PIECE_BYTES)
            self._check, self._taken = run_check(self._time), 0
            self._time = time
        self._goes_on = self._taken > 0 or bool(self._text)
        self._piece_bytes = size_bytes
        self.last_entry = number
        if not size_bytes:
            self.flush(out)  # all that the last entry held was a newline, which the engine has left out
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

    def flush(self, out: list[PlacedLine], *, partial: bool = False) -> None:
        """Gives the unfinished line as it is. Entries of the other stream may be after its place: so it is not level."""
        self._flush(out, partial=partial, newline=True)

    def end(self, out: list[PlacedLine]) -> None:
        """Gives the last line of an ended container, which has no newline in the log."""
        # The newline of a line that is one entry is never left out, and one that is left out is not after a full entry.
        unknown = self._goes_on and self._piece_bytes < PIECE_BYTES
        self._flush(out, newline=None if unknown else False)

    def _flush(self, out: list[PlacedLine], *, partial: bool = False, newline: bool | None) -> None:
        if self._text:
            text, self._text = self._text, b""
            self._emit(out, text, len(text), partial=partial, newline=newline)

    def mark(self, out: list[PlacedLine]) -> None:
        """Says that lines are missing, where no line of this stream did; for a silent stream the other's line has said it."""
        if self._lost is None or (self._overtaken and self._may_be_silent):
            return
        place = START
        if self._placed:
            own = self._time or (self._beside.timestamp if self._beside else "")
            place = Place(own, self._taken, self._check, self._beside)
        out.append(PlacedLine(self._stream, self._lost.timestamp, "", partial=True, gap=GAP, place=place))
        self._lost = None

    def _emit(
        self,
        out: list[PlacedLine],
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
        said, raw = taken[:shown], None
        try:
            text = said.decode()
        except UnicodeDecodeError:
            text, raw = said.decode("utf-8", "replace"), said
        out.append(
            PlacedLine(
                stream=self._stream,
                time=self._time,
                text=text,
                place=Place(self._time, self._taken, self._check),
                partial=partial,
                gap=None if self._lost is None else GAP,
                level=level,
                raw=raw,
                newline=newline,
            )
        )
        self._lost = None


def _character_start(text: bytes, start: int, cut: int) -> int:
    """Returns the last place at or before `cut` that is not inside a UTF-8 character."""
    for back in range(4):
        at = cut - back
        if at <= start:
            break
        if text[at] & 0xC0 != 0x80:
            return at
    return cut
