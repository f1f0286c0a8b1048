"""The engine's log stream as lines with cursors.

Pure: bytes in whatever pieces they arrive go in, whole lines come out, the same for every cutting of the bytes. Owns
frames, the engine's timestamps, where to resume, and the detection of lines that rotated away.

What is known of the engine: an entry is one line or 16 KiB of one; it starts with its timestamp; timestamps grow strictly
within a stream and not across the two; all entries of one long line share theirs; `since` is inclusive.

Source: Docker Engine API, ContainerLogs and "Stream format" of ContainerAttach.
"""

import calendar
import re
from collections.abc import Iterator, Mapping

from jobd.jobs.orchestrator import LogCursor, RawLine, StreamName

LINE_BYTES = 64 * 1024
"""Text beyond this is cut and goes on in the next line."""
BATCH_LINES = 1000
GAP = "the engine rotated lines away before they were read"

_FRAME_BYTES = 4 * 1024 * 1024
_HEADER = 8
_STREAMS: dict[int, StreamName] = {0: "stdout", 1: "stdout", 2: "stderr"}
_ENGINE_ERROR = 3
_SLACK_NS = 30 * 1_000_000_000
_TIME = re.compile(r"^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9})\d*)?(Z|[+-]\d\d:\d\d)\Z")


class DamagedLog(ValueError):
    """The bytes are no log stream, or the engine says in it that it cannot go on."""


def nanoseconds(time: str) -> int:
    """Returns an RFC 3339 time as nanoseconds since 1970.

    Raises: DamagedLog: it is no such time.
    """
    match = _TIME.match(time)
    if match is None:
        raise DamagedLog(f"{time[:64]!r} is no timestamp")
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    whole = calendar.timegm((int(year), int(month), int(day), int(hour), int(minute), int(second)))
    if zone != "Z":
        sign = 1 if zone[0] == "+" else -1
        whole -= sign * (int(zone[1:3]) * 3600 + int(zone[4:6]) * 60)
    return whole * 1_000_000_000 + int((fraction or "0").ljust(9, "0"))


def since(cursors: Mapping[StreamName, LogCursor]) -> str | None:
    """Returns the `since` with which a log is asked for so that nothing after the cursors is missed; None: from its start.

    A stream without a cursor has shown nothing so far. What it holds may carry a time a little before the other's
    cursor, since two writers wait for one log: so the request then starts a little earlier.
    """
    if not cursors:
        return None
    oldest = min(nanoseconds(cursor.timestamp) for cursor in cursors.values())
    if len(cursors) < 2:
        oldest -= _SLACK_NS
    whole, fraction = divmod(max(oldest, 0), 1_000_000_000)
    return f"{whole}.{fraction:09d}"


class LogReader:
    """Reads one log stream from the cursors on. Holds at most one unfinished frame and one unfinished line a stream."""

    def __init__(self, cursors: Mapping[StreamName, LogCursor]) -> None:
        self._rest = b""
        self._lines: dict[StreamName, _Lines] = {
            "stdout": _Lines("stdout", cursors.get("stdout")),
            "stderr": _Lines("stderr", cursors.get("stderr")),
        }

    @property
    def cut(self) -> bool:
        """True where the bytes so far end within a frame."""
        return bool(self._rest)

    def feed(self, data: bytes) -> list[RawLine]:
        """Returns the lines that `data` completes, in the order of the log.

        Raises: DamagedLog.
        """
        out: list[RawLine] = []
        for stream, entry in self._entries(data):
            time, space, payload = entry.partition(b" ")
            if not space or len(time) > 64:
                raise DamagedLog("an entry has no timestamp")
            self._lines[stream].take(time.decode("ascii", "replace"), payload, out)
        return out

    def end(self) -> list[RawLine]:
        """Returns the last lines that have no newline: for a log that has been read to its end."""
        out: list[RawLine] = []
        for lines in self._lines.values():
            lines.flush(out, partial=False)
        return sorted(out, key=lambda line: nanoseconds(line.time))

    def _entries(self, data: bytes) -> Iterator[tuple[StreamName, bytes]]:
        if self._rest:
            data = self._rest + data
        at, size = 0, len(data)
        while size - at >= _HEADER:
            length = int.from_bytes(data[at + 4 : at + _HEADER], "big")
            kind = data[at]
            if length > _FRAME_BYTES or kind > _ENGINE_ERROR or data[at + 1 : at + 4] != b"\0\0\0":
                raise DamagedLog("no frame where one should start")
            end = at + _HEADER + length
            if end > size:
                break
            entry = data[at + _HEADER : end]
            if kind == _ENGINE_ERROR:
                raise DamagedLog(entry.decode("utf-8", "replace").strip() or "the engine cannot read the log")
            at = end
            yield _STREAMS[kind], entry
        self._rest = data[at:]


class _Lines:
    """The lines of one stream, and how far it has been read: `taken` bytes of the text at `time`."""

    def __init__(self, stream: StreamName, resume: LogCursor | None) -> None:
        self._stream = stream
        self._resume_ns = None if resume is None else nanoseconds(resume.timestamp)
        self._skip = 0 if resume is None else resume.taken
        self._met = False
        self._gap: str | None = None
        self._time = ""
        self._taken = 0
        self._text = b""

    def take(self, time: str, payload: bytes, out: list[RawLine]) -> None:
        if self._resume_ns is not None:
            payload = self._after_resume(time, payload)
            if not payload:
                return
        if time != self._time:
            if self._text:
                # Not seen of this engine: a new time within a line. The line goes on, so say so and lose nothing.
                self.flush(out, partial=True)
            self._time, self._taken = time, 0
        text = self._text + payload if self._text else payload
        start, size = 0, len(text)
        while start < size:
            end = text.find(b"\n", start, start + LINE_BYTES + 1)
            if end >= 0:
                self._emit(out, text[start:end], end + 1 - start, partial=False)
                start = end + 1
            elif size - start > LINE_BYTES:
                cut = _character_start(text, start, start + LINE_BYTES)
                self._emit(out, text[start:cut], cut - start, partial=True)
                start = cut
            else:
                break
        self._text = text[start:]

    def flush(self, out: list[RawLine], *, partial: bool) -> None:
        if self._text:
            text, self._text = self._text, b""
            self._emit(out, text, len(text), partial=partial)

    def _after_resume(self, time: str, payload: bytes) -> bytes:
        """Returns what of an entry comes after the cursor."""
        at = nanoseconds(time)
        assert self._resume_ns is not None
        if at < self._resume_ns:
            return b""
        if at > self._resume_ns:
            if not self._met:
                self._gap = GAP
            self._resume_ns = None
            return payload
        self._met = True
        skipped = min(self._skip, len(payload))
        self._skip -= skipped
        self._time = time
        self._taken += skipped
        return payload[skipped:]

    def _emit(self, out: list[RawLine], text: bytes, taken: int, *, partial: bool) -> None:
        self._taken += taken
        out.append(
            RawLine(
                stream=self._stream,
                time=self._time,
                text=text.decode("utf-8", "replace"),
                cursor=LogCursor(self._time, self._taken),
                partial=partial,
                gap=self._gap,
            )
        )
        self._gap = None


def _character_start(text: bytes, start: int, cut: int) -> int:
    """Returns the last place at or before `cut` that is not inside a UTF-8 character."""
    for back in range(4):
        at = cut - back
        if at <= start:
            break
        if text[at] & 0xC0 != 0x80:
            return at
    return cut
