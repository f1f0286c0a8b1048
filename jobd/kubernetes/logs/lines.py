"""The API's log stream as lines: splits bytes, separates the times, bounds the length of a line. Pure.

Each line begins with its time in RFC 3339 and a space. A line may arrive in any number of chunks, and may be longer than memory should
hold: such a line is given out in pieces.

Source: Kubernetes API v1, PodLogOptions.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from jobd.jobs.port.errors import LogUnreadable
from jobd.jobs.port.model import RawLine
from jobd.kubernetes.logs.cursor import Position, Reading

PIECE = 64 << 10
"""The longest piece of a line, in bytes."""
GAP = "lines before this one are lost: the cluster has rotated the log before jobd read them"
_TIME = re.compile(rb"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{8,20}Z) ")
_LONGEST_TIME = 64


@dataclass(slots=True)
class _Line:
    time: str
    is_new: bool
    dropped: int


class Lines:
    """One answer from a position on. `feed` takes chunks, `end` the end of the answer."""

    def __init__(self, start: Position) -> None:
        self._reading = Reading(start)
        self._rest = b""
        self._line: _Line | None = None
        self._gap = False

    @property
    def position(self) -> Position:
        """The position after the lines so far."""
        return self._reading.position

    def feed(self, chunk: bytes) -> Iterator[RawLine]:
        """Yields the lines, and pieces of long ones, that a chunk completes. Raises LogUnreadable: the bytes are no log."""
        self._rest += chunk
        begin = 0
        while (end := self._rest.find(b"\n", begin)) >= 0:
            yield from self._take(self._rest[begin:end], newline=True)
            begin = end + 1
        self._rest = self._rest[begin:]
        while len(self._rest) > PIECE + _LONGEST_TIME:
            yield from self._take_piece()

    def end(self) -> Iterator[RawLine]:
        """Yields the last line, which has no newline."""
        if self._rest or self._line is not None:
            yield from self._take(self._rest, newline=False)
        self._rest = b""

    def _begin(self, data: bytes) -> tuple[_Line, bytes]:
        if self._line is not None:
            return self._line, data
        found = _TIME.match(data)
        if found is None:
            raise LogUnreadable(
                f"the cluster does not return the log: {data[:200].decode('utf-8', 'replace')}"
            )
        time = found[1].decode()
        is_new = self._reading.is_new(time)
        self._gap |= self._reading.gap and is_new
        self._reading.gap = False if self._gap else self._reading.gap
        self._line = _Line(time, is_new, self._reading.done if is_new else 0)
        return self._line, data[found.end() :]

    def _take(self, data: bytes, *, newline: bool) -> Iterator[RawLine]:
        line, text = self._begin(data)
        text = self._undone(line, text)
        while len(text) > PIECE:
            size = _whole_characters(text, PIECE)
            yield from self._raw(line, text[:size], partial=True, newline=True)
            text = text[size:]
        yield from self._raw(line, text, partial=False, newline=newline)
        self._reading.over(line.time)
        self._line = None

    def _take_piece(self) -> Iterator[RawLine]:
        line, text = self._begin(self._rest)
        text = self._undone(line, text)
        size = _whole_characters(text, PIECE)
        piece, self._rest = text[:size], text[size:]
        if line.is_new and piece:
            self._reading.part(len(piece))
        yield from self._raw(line, piece, partial=True, newline=True)

    def _undone(self, line: _Line, text: bytes) -> bytes:
        """Returns the text without the bytes that an earlier answer had."""
        skipped = min(line.dropped, len(text))
        line.dropped -= skipped
        return text[skipped:]

    def _raw(self, line: _Line, data: bytes, *, partial: bool, newline: bool) -> Iterator[RawLine]:
        if not line.is_new or (partial and not data):
            return
        gap, self._gap = GAP if self._gap else None, False
        try:
            text, raw = data.decode(), None
        except UnicodeDecodeError:
            text, raw = data.decode("utf-8", "replace"), data
        yield RawLine("stdout", line.time, text, partial=partial, gap=gap, raw=raw, newline=newline)


def _whole_characters(data: bytes, size: int) -> int:
    """Returns the greatest number of bytes up to `size` that cuts no UTF-8 character."""
    for back in range(4):
        if size - back < len(data) and data[size - back] & 0xC0 != 0x80:
            return size - back
    return size
