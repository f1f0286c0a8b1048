"""What workers print, as they print it: the bytes that no log has yet, for readers who are to see them at once.

An engine's log gets a line when the line ends. A connection to the worker's output gives its bytes before that, and nothing but
that: they are never stored, and a reader gets them again as a line. Where both begin with the worker's start, places in them are
compared by counting bytes, and by the bytes themselves.

Owns what is remembered of the output, and its bounds. Where it comes from is in `output_follower.py`, how it is served in
`log_view.py`.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from jobd.jobs.port.model import RawLine, StreamName

LIVE_BYTES = 96 * 1024
"""What is remembered of a stream: as much as a log line may hold, and what the engine holds back of it."""
RIPE_AFTER_S = 0.05
"""A line that ends within this time comes as a line alone."""
MATCH_BYTES = 64
"""So much of a last line is looked for at the end of the output."""


@dataclass(frozen=True, slots=True)
class Unfinished:
    """The bytes of a stream from `at` on, counted from the end of its last stored line; `place` is behind them, counted from the
    worker's start.
    """

    stream: StreamName
    at: int
    data: bytes
    place: int


class LiveOutput:
    """The output of one worker. `seq`: the last line of the job's log when the worker was started; None where the output is not
    known from there on. `tell` is called when there is something new in `unfinished`, once in `RIPE_AFTER_S` at most.
    """

    def __init__(self, seq: int | None, tell: Callable[[], None]) -> None:
        self.ended = asyncio.Event()
        """Set once nothing more comes."""
        self._complete = False
        self._seq = seq
        self._tell = tell
        self._tails: dict[StreamName, _Tail] = {"stdout": _Tail(), "stderr": _Tail()}
        self._ripening: asyncio.TimerHandle | None = None

    @property
    def held_bytes(self) -> int:
        """How much is remembered."""
        return sum(len(tail.data) for tail in self._tails.values())

    def take(self, stream: StreamName, data: bytes) -> None:
        """The worker has printed `data`."""
        self._tails[stream].add(data)
        if self._ripening is None and self._seq is not None:
            self._ripening = asyncio.get_running_loop().call_later(RIPE_AFTER_S, self._ripen)

    def stored(self, lines: Iterable[RawLine], first_seq: int, last_seq: int) -> None:
        """The log has these lines under these numbers."""
        if self._seq is None:
            return
        if first_seq != self._seq + 1:
            self.lose()
            return
        self._seq = last_seq
        parts: dict[StreamName, list[bytes]] = {}
        for line in lines:
            if line.gap is not None:
                self.lose()
                return
            parts.setdefault(line.stream, []).append(bytes_of(line))
        for stream, said in parts.items():
            if not self._tails[stream].store(b"".join(said)):
                self.lose()
                return

    def lose(self) -> None:
        """The log does not go on where the output does: from now on nothing is known to be unfinished."""
        self._seq = None

    def end(self) -> None:
        """The worker has ended, and all that it has printed has come."""
        self._complete = True
        self.ended.set()

    def close(self) -> None:
        """Nothing more comes, since the connection broke, or is wanted. Repeats safely."""
        self.lose()
        self.ended.set()
        if self._ripening is not None:
            self._ripening.cancel()

    def unfinished(self, seq: int, seen: dict[StreamName, int]) -> Iterator[Unfinished]:
        """Yields what a reader has not seen who has the log up to line `seq`; `seen` says up to which `place` he has each stream."""
        if seq != self._seq:
            return
        for stream, tail in self._tails.items():
            start = max(tail.stored, seen.get(stream, 0))
            if data := tail.ripe_from(start):
                yield Unfinished(stream, start - tail.stored, data, start + len(data))

    def ends_with(self, line: RawLine) -> bool | None:
        """Tells whether a newline follows `line`, the last one of its stream; None where that is not known. Pure."""
        if not self._complete:
            return None
        end, said = bytes(self._tails[line.stream].data[-MATCH_BYTES - 1 :]), bytes_of(line, newline=False)
        found = None
        if said and end:
            if _matches(end, said):
                found = False
            elif end.endswith(b"\n") and _matches(end[:-1], said):
                found = True
        return found

    def _ripen(self) -> None:
        self._ripening = None
        more = {tail.ripen() for tail in self._tails.values()}
        if True in more and self._seq is not None:
            self._tell()


class _Tail:
    """The last bytes of a stream. Places are counted from the first byte that came: `start` is that of `data`, `stored` that up to
    which the log has them, `ripe` that up to which a reader may have them.
    """

    def __init__(self) -> None:
        self.data = bytearray()
        self.start = 0
        self.stored = 0
        self.ripe = 0

    def add(self, data: bytes) -> None:
        self.data += data
        self._drop(len(self.data) - LIVE_BYTES)

    def store(self, said: bytes) -> bool:
        """The log goes on with these bytes; False where the output has others."""
        at = max(self.stored, self.start)
        part = said[at - self.stored :]
        here = self.data[at - self.start : at - self.start + len(part)]
        self.stored += len(said)
        same = part.startswith(here)
        self._drop(self.stored - self.start)
        return same

    def ripen(self) -> bool:
        """What has come until now may be read; True where there is more of it than before that no log has."""
        end = self.start + len(self.data)
        more = end > max(self.ripe, self.stored)
        self.ripe = end
        return more

    def ripe_from(self, place: int) -> bytes:
        if place < self.start:  # what comes before is forgotten: the log is far behind, and goes on
            return b""
        return bytes(self.data[place - self.start : max(0, self.ripe - self.start)])

    def _drop(self, count: int) -> None:
        count = min(count, len(self.data))
        if count > 0:
            del self.data[:count]
            self.start += count


class LiveOutputs:
    """The outputs that are followed now, by the uid of their job."""

    def __init__(self) -> None:
        self._outputs: dict[str, LiveOutput] = {}

    def of(self, uid: str) -> LiveOutput | None:
        """Returns the output of the job's worker; None where none is followed."""
        return self._outputs.get(uid)

    def put(self, uid: str, output: LiveOutput) -> None:
        """The output of the job's worker is followed from now on."""
        self._outputs[uid] = output

    def drop(self, uid: str, output: LiveOutput) -> None:
        """This output is over, and its log is read."""
        output.close()
        if self._outputs.get(uid) is output:
            del self._outputs[uid]


def bytes_of(line: RawLine, *, newline: bool = True) -> bytes:
    """Returns what the worker has printed for a line, with its newline or without. Pure."""
    said = line.text.encode() if line.raw is None else line.raw
    return said if line.partial or not (newline and line.newline) else said + b"\n"


def _matches(end: bytes, said: bytes) -> bool:
    common = min(len(end), len(said), MATCH_BYTES)
    return bool(common) and end[-common:] == said[-common:]
