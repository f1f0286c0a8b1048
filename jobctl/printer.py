"""Log lines to the terminal or a pipe: the worker's stdout to stdout, its stderr to stderr, in order, at once.

Owns prefixes, times and the JSON form. A batch costs one write a stream. On a terminal the lines go through the filter of
`terminal.py`, one for each stream; the terminal is without colour after each write.
"""

import sys
from datetime import datetime
from itertools import groupby

import msgspec

from jobctl import output
from jobctl.follow import Frame
from jobctl.quantities import parse_time
from jobctl.terminal import TerminalFilter

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
        self._filters: dict[str, TerminalFilter | None] = {
            "stdout": None if raw else output.terminal_filter(sys.stdout),
            "stderr": None if raw else output.terminal_filter(sys.stderr),
        }

    def show(self, batch: list[Frame]) -> None:
        """Prints the lines of a batch; the end is shown in the JSON form only."""
        if self._since is not None:
            batch = [frame for frame in batch if frame.end is not None or self._recent(frame)]
        if self._as_json:
            self._json(batch)
            return
        for stream, group in groupby((f for f in batch if f.end is None), key=lambda frame: frame.stream):
            parts: list[str] = []
            for frame in group:
                if frame.gap:
                    parts = self._flush(stream, parts)
                    output.note(f"{self._prefix}{frame.gap}")
                if frame.line or not frame.gap:
                    parts.append(self._line(frame))
            self._flush(stream, parts)

    def _line(self, frame: Frame) -> str:
        said = frame.line if frame.partial else frame.line + "\n"
        terminal = self._filter_of(frame.stream)
        if self._plain:
            return terminal.feed(said) if terminal else said
        goes_on = self._open_line.get(frame.stream, False)
        self._open_line[frame.stream] = frame.partial
        start = "" if goes_on else self._prefix + (f"{frame.time} " if self._times else "")
        if terminal is None:
            return start + said
        if not goes_on:
            terminal.row_start = start
        return start + terminal.feed(said)

    def _filter_of(self, stream: str) -> TerminalFilter | None:
        return self._filters["stderr" if self._goes_to_stderr(stream) else "stdout"]

    def _goes_to_stderr(self, stream: str) -> bool:
        return self._only_stderr or stream == "stderr"

    def _flush(self, stream: str, parts: list[str]) -> list[str]:
        if parts:
            target = sys.stderr.buffer if self._goes_to_stderr(stream) else sys.stdout.buffer
            if (terminal := self._filter_of(stream)) is not None:
                parts.append(terminal.pause())
            target.write("".join(parts).encode("utf-8", "replace"))
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
