"""Prints a log: the worker's stdout to stdout, its stderr to stderr, in order, immediately, byte for byte.

Owns prefixes, times and the JSON form; a prefixed line always ends with a newline. A batch costs one write a stream. On a terminal
the lines pass one filter of `terminal.py` a stream, which resets the colours after each write.
"""

from __future__ import annotations

import sys
from itertools import groupby
from typing import TYPE_CHECKING

from jobctl.output import output

if TYPE_CHECKING:
    from datetime import datetime

    from jobctl.connection.log_frames import Frame, Unfinished
    from jobctl.output.terminal import ByteFilter

MOST_AHEAD_BYTES = 1 << 20
"""The most bytes of an unfinished line that are printed before the line itself arrives."""


class Printer:
    """Prints batches of frames. `prefix`: text before each line; `since`: skips older lines; `raw`: a terminal gets the bytes
    unfiltered; `only_stderr`: all lines go to stderr.
    """

    def __init__(
        self,
        *,
        prefix: str = "",
        times: bool = False,
        as_json: bool = False,
        job_id: str = "",
        since: datetime | None = None,
        raw: bool = False,
        only_stderr: bool = False,
    ) -> None:
        self._prefix = prefix
        self._times = times
        self._as_json = as_json
        self._job_id = job_id
        self._since = since
        self._only_stderr = only_stderr
        self._open_line: dict[str, bool] = {}
        self._plain = not (prefix or times)
        self.has_gaps = False
        """True once a part of the job's output is missing; a note on stderr names the gap."""
        self.at_line_start = True
        """False after an unfinished line."""
        self._ahead: dict[str, bytes] = {}
        """The bytes of each stream that were printed before their line arrived."""
        self._filters: dict[str, ByteFilter | None] = {
            "stdout": None if raw else output.terminal_filter(sys.stdout),
            "stderr": None if raw else output.terminal_filter(sys.stderr),
        }

    @property
    def prints_unfinished_lines(self) -> bool:
        """True where bytes are printed before their line has ended: without prefixes, times, JSON and skipped lines."""
        return self._plain and not self._as_json and self._since is None

    def show(self, batch: list[Frame]) -> None:
        """Prints the lines of a batch; the job's end is printed only as JSON."""
        if self._since is not None:
            batch = [frame for frame in batch if frame.end is not None or self._recent(frame)]
        if self._as_json:
            self._json(batch)
            return
        for stream, group in groupby((f for f in batch if f.end is None), key=_stream_of):
            frames = list(group)
            if self._passes_through(stream, frames):
                self._flush(stream, ["\n".join([*[frame.line for frame in frames], ""]).encode()])
                continue
            parts: list[bytes] = []
            for frame in frames:
                if frame.unfinished is not None:
                    parts.append(self._shown(stream, self._new(frame.unfinished)))
                    continue
                if frame.gap:
                    self.has_gaps = True
                    self._ahead.clear()
                    parts = self._flush(stream, parts)
                    output.note(f"{self._prefix}{frame.gap}")
                if not frame.is_gap_only:
                    parts.append(self._line(frame))
            self._flush(stream, parts)

    def _passes_through(self, stream: str, frames: list[Frame]) -> bool:
        """True for whole lines of text that are printed as they are: most of most logs."""
        if not self._plain or self._ahead.get(stream) or self._filter_of(stream) is not None:
            return False
        return not any(
            frame.raw is not None
            or frame.partial
            or frame.unterminated
            or frame.gap is not None
            or frame.unfinished is not None
            for frame in frames
        )

    def _line(self, frame: Frame) -> bytes:
        data = frame.data
        if self._plain:
            return self._shown(frame.stream, self._rest(frame.stream, data))
        terminal = self._filter_of(frame.stream)
        continues = self._open_line.get(frame.stream, False)
        self._open_line[frame.stream] = frame.partial
        start = "" if continues else self._prefix + (f"{frame.time} " if self._times else "")
        if frame.unterminated:
            data += b"\n"
        if terminal is None:
            return start.encode() + data
        if not continues:
            terminal.terminal.row_start = start
        return start.encode() + terminal.feed(data)

    def _shown(self, stream: str, data: bytes) -> bytes:
        terminal = self._filter_of(stream)
        return terminal.feed(data) if terminal else data

    def _new(self, part: Unfinished) -> bytes:
        """Returns the bytes that were not printed yet, and counts them as printed."""
        shown = self._ahead.get(part.stream, b"")
        known = len(shown) - part.at
        if (
            not 0 <= known <= len(part.raw)
            or shown[part.at :] != part.raw[:known]
            or part.at > MOST_AHEAD_BYTES
        ):
            return b""  # printed already, or not the next bytes: the line brings them
        self._ahead[part.stream] = shown + part.raw[known:]
        return part.raw[known:]

    def _rest(self, stream: str, line: bytes) -> bytes:
        """Returns the part of a line that was not printed yet. Where the printed bytes differ from the line, the whole line is printed."""
        shown = self._ahead.pop(stream, b"")
        if not shown:
            return line
        if len(shown) > len(line) and shown.startswith(line):
            self._ahead[stream] = shown[len(line) :]
            return b""
        return line.removeprefix(shown)

    def _filter_of(self, stream: str) -> ByteFilter | None:
        return self._filters["stderr" if self._goes_to_stderr(stream) else "stdout"]

    def _goes_to_stderr(self, stream: str) -> bool:
        return self._only_stderr or stream == "stderr"

    def _flush(self, stream: str, parts: list[bytes]) -> list[bytes]:
        if parts:
            if last := next(filter(None, reversed(parts)), b""):
                self.at_line_start = last.endswith(b"\n")
            target = sys.stderr.buffer if self._goes_to_stderr(stream) else sys.stdout.buffer
            if (terminal := self._filter_of(stream)) is not None:
                parts.append(terminal.pause())
            target.write(b"".join(parts))
            target.flush()
        return []

    def _json(self, batch: list[Frame]) -> None:
        import msgspec

        lines: list[bytes] = []
        for frame in batch:
            # NDJSON as the daemon sends it; with several jobs each line has the job's id
            shown: object = {"end": frame.end} if frame.end is not None else frame
            if self._job_id:
                shown = {"id": self._job_id, **msgspec.to_builtins(shown)}
            lines += (msgspec.json.encode(shown), b"\n")
        sys.stdout.buffer.write(output.json_bytes(b"".join(lines)))
        sys.stdout.buffer.flush()

    def _recent(self, frame: Frame) -> bool:
        from jobctl.units import parse_time

        moment = parse_time(frame.time)
        return moment is None or self._since is None or moment >= self._since


def _stream_of(frame: Frame) -> str:
    return frame.stream if frame.unfinished is None else frame.unfinished.stream
