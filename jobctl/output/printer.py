"""A log to the terminal or a pipe: the worker's stdout to stdout, its stderr to stderr, in order, at once, byte for byte.

Owns prefixes, times and the JSON form; where lines have a prefix, each ends with a newline. A batch costs one write a stream. On a terminal the lines go through the filter of
`terminal.py`, one for each stream; the terminal is without colour after each write.
"""

import sys
from datetime import datetime
from itertools import groupby

import msgspec

from jobctl.connection.follow import Frame, Unfinished
from jobctl.job.units import parse_time
from jobctl.output import output
from jobctl.output.terminal import ByteFilter

MOST_AHEAD_BYTES = 1 << 20
"""So much of a stream is shown before its lines come, at most."""

_encoder = msgspec.json.Encoder()


class Printer:
    """Prints batches of frames. `prefix` stands before each line, `since` leaves out what is older, `raw` gives also a terminal
    the lines as they are, `only_stderr` leaves stdout to something else.
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
        """True where something that the job has printed is missing; standard error says what."""
        self._ahead: dict[str, bytes] = {}
        """What was shown of each stream before its lines came."""
        self._filters: dict[str, ByteFilter | None] = {
            "stdout": None if raw else output.terminal_filter(sys.stdout),
            "stderr": None if raw else output.terminal_filter(sys.stderr),
        }

    @property
    def wants_unfinished(self) -> bool:
        """True where bytes are shown before their line has ended: where nothing stands between lines, and no line is left out."""
        return self._plain and not self._as_json and self._since is None

    def show(self, batch: list[Frame]) -> None:
        """Prints the lines of a batch; the end is shown in the JSON form only."""
        if self._since is not None:
            batch = [frame for frame in batch if frame.end is not None or self._recent(frame)]
        if self._as_json:
            self._json(batch)
            return
        for stream, group in groupby((f for f in batch if f.end is None), key=_stream_of):
            parts: list[bytes] = []
            for frame in group:
                if frame.unfinished is not None:
                    parts.append(self._shown(stream, self._new(frame.unfinished)))
                    continue
                if frame.gap:
                    self.has_gaps = True
                    self._ahead.clear()
                    parts = self._flush(stream, parts)
                    output.note(f"{self._prefix}{frame.gap}")
                if not frame.is_only_a_mark:
                    parts.append(self._line(frame))
            self._flush(stream, parts)

    def _line(self, frame: Frame) -> bytes:
        said = frame.data
        if self._plain:
            return self._shown(frame.stream, self._rest(frame.stream, said))
        terminal = self._filter_of(frame.stream)
        goes_on = self._open_line.get(frame.stream, False)
        self._open_line[frame.stream] = frame.partial
        start = "" if goes_on else self._prefix + (f"{frame.time} " if self._times else "")
        if frame.unterminated:
            said += b"\n"
        if terminal is None:
            return start.encode() + said
        if not goes_on:
            terminal.terminal.row_start = start
        return start.encode() + terminal.feed(said)

    def _shown(self, stream: str, data: bytes) -> bytes:
        terminal = self._filter_of(stream)
        return terminal.feed(data) if terminal else data

    def _new(self, part: Unfinished) -> bytes:
        """Returns what of these bytes has not been shown; they are shown now."""
        shown = self._ahead.get(part.stream, b"")
        known = len(shown) - part.at
        if (
            not 0 <= known <= len(part.raw)
            or shown[part.at :] != part.raw[:known]
            or part.at > MOST_AHEAD_BYTES
        ):
            return b""  # shown already, or not what follows: it comes with its line
        self._ahead[part.stream] = shown + part.raw[known:]
        return part.raw[known:]

    def _rest(self, stream: str, said: bytes) -> bytes:
        """Returns what of a line has not been shown. What the log does not bear out is shown again: the log is what counts."""
        shown = self._ahead.pop(stream, b"")
        if not shown:
            return said
        if len(shown) > len(said) and shown.startswith(said):
            self._ahead[stream] = shown[len(said) :]
            return b""
        return said.removeprefix(shown)

    def _filter_of(self, stream: str) -> ByteFilter | None:
        return self._filters["stderr" if self._goes_to_stderr(stream) else "stdout"]

    def _goes_to_stderr(self, stream: str) -> bool:
        return self._only_stderr or stream == "stderr"

    def _flush(self, stream: str, parts: list[bytes]) -> list[bytes]:
        if parts:
            target = sys.stderr.buffer if self._goes_to_stderr(stream) else sys.stdout.buffer
            if (terminal := self._filter_of(stream)) is not None:
                parts.append(terminal.pause())
            target.write(b"".join(parts))
            target.flush()
        return []

    def _json(self, batch: list[Frame]) -> None:
        lines = bytearray()
        for frame in batch:
            # NDJSON as the daemon sends it; with several jobs each line says whose it is
            shown: object = {"end": frame.end} if frame.end is not None else frame
            if self._job_id:
                shown = {"id": self._job_id, **msgspec.to_builtins(shown)}
            lines += output.json_bytes(_encoder.encode(shown)) + b"\n"
        sys.stdout.buffer.write(lines)
        sys.stdout.buffer.flush()

    def _recent(self, frame: Frame) -> bool:
        moment = parse_time(frame.time)
        return moment is None or self._since is None or moment >= self._since


def _stream_of(frame: Frame) -> str:
    return frame.stream if frame.unfinished is None else frame.unfinished.stream
