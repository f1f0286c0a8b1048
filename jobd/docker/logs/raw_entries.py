"""The entries of the log of a container with a terminal, which the engine sends without frames.

Pure. An entry is a timestamp, a blank and one line, or 16 KiB of a line. A line ends an entry by its newline. Older engines omit the
newline of a long line (`log_parser.py`): then the next entry's timestamp shows the end. A worker that prints such a timestamp
in a line of more than 16 KiB gets that line in two.

Source: Docker Engine API, ContainerLogs, and "Stream format" of ContainerAttach.
"""

import re
from collections.abc import Iterator

from jobd.docker.logs.frames import DamagedLog
from jobd.docker.logs.stream_lines import PIECE_BYTES
from jobd.jobs.port.model import StreamName

_TIME_BYTES = 64
_TIME = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}(?:Z|[+-]\d\d:\d\d) ")


class RawEntries:
    """Separates entries in pieces of any size, as `Frames` does. Holds at most one incomplete entry."""

    cut = False
    """The bytes do not show whether the last entry is whole."""

    def __init__(self) -> None:
        self._rest = b""
        self._in_long_line = False

    def feed(self, data: bytes) -> Iterator[tuple[StreamName, bytes]]:
        """Yields the entries that `data` completes. Raises: DamagedLog."""
        yield from self._entries(self._rest + data if self._rest else data, last=False)

    def end(self) -> Iterator[tuple[StreamName, bytes]]:
        """Yields the last entry: the engine has sent the whole log. Raises: DamagedLog."""
        yield from self._entries(self._rest, last=True)

    def _entries(self, data: bytes, *, last: bool) -> Iterator[tuple[StreamName, bytes]]:
        at = 0
        while at < len(data):
            end = self._end_of(data, at, last=last)
            if end is None:
                break
            entry = data[at:end]
            at = end
            self._in_long_line = not entry.endswith(b"\n") and _payload_bytes(entry) == PIECE_BYTES
            yield "stdout", entry
        self._rest = data[at:]

    def _end_of(self, data: bytes, at: int, *, last: bool) -> int | None:
        """Returns where the entry at `at` ends; None if that is not known yet."""
        blank = data.find(b" ", at, at + _TIME_BYTES)
        if blank < 0:
            if len(data) - at >= _TIME_BYTES or last:
                raise DamagedLog("an entry has no timestamp")
            return None
        start = blank + 1
        newline = data.find(b"\n", start, start + PIECE_BYTES + 1)
        if self._in_long_line:
            stop = newline if newline >= 0 else start + PIECE_BYTES
            if (following := _TIME.search(data, start, stop)) is not None:
                return following.start()
        if newline >= 0:
            return newline + 1
        if len(data) - start > PIECE_BYTES:
            return start + PIECE_BYTES
        return len(data) if last else None


def _payload_bytes(entry: bytes) -> int:
    return len(entry) - entry.find(b" ") - 1
