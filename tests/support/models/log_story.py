"""A sequence of steps on one container's log, and the lines that a reader with restarts has stored."""

from typing import Any

from hypothesis import strategies as st

from jobd.docker.logs.log_cursors import Position, PositionedLine, positions_after
from jobd.docker.logs.log_requests import lines_after
from jobd.jobs.port.errors import EngineUnavailable
from jobd.jobs.port.model import StreamName
from tests.support.models.model_log import NS, ModelLog

HOUR_NS = 3600 * NS
STREAMS: tuple[StreamName, ...] = ("stdout", "stderr")
WINDOWS = (2, 5)
DISTINCT = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
LINE_BYTES, PIECE_BYTES = 24, 7
"""Small ones, for lines of several pieces and cut lines; a test sets `logs.LINE_BYTES` so."""


class Story:
    """One sequence; `check` compares the result."""

    def __init__(self, steps: list[Any], piece_bytes: int = PIECE_BYTES, *, leaves_out: bool = False) -> None:
        self.log = ModelLog(piece_bytes=piece_bytes, leaves_out=leaves_out, turn=self._turn)
        self.stored: list[PositionedLine] = []
        self.cursors: dict[StreamName, Position] = {}
        self.unseen: set[StreamName] = set()
        """Streams that lost entries before the first read: indistinguishable from a stream that begins later."""
        self._steps = list(steps)
        self._is_distinct = leaves_out or any(step[0] == "rotate" for step in steps)
        """Without newlines, and after a rotation within a line, only the text distinguishes the parts of a line."""
        self._number = 0

    async def tell(self) -> None:
        """Plays all steps; then ends the container and reads its log to the end."""
        while self._steps:
            step = self._steps.pop(0)
            if step[0] == "read":
                await self.read(follow=True, keep=step[1], breaks_after=step[2])
            else:
                self._play(step)
        self.log.close()
        await self.read(follow=False, breaks_after=60)
        await self.read(follow=False)

    async def read(self, *, follow: bool, keep: int = 10**9, breaks_after: int | None = None) -> None:
        """Continues reading; does not store lines after the first `keep`, as when jobd is killed."""
        self.log.breaks_after = breaks_after
        try:
            async for batch in lines_after(self.log.ask, self.cursors, follow, WINDOWS):
                kept = batch[:keep]
                keep -= len(kept)
                self.stored += kept
                self.cursors = positions_after(self.cursors, kept)
                if keep <= 0:
                    return
        except EngineUnavailable:
            pass
        finally:
            self.log.breaks_after = None

    def _turn(self) -> bool:
        """Plays steps while the log is followed; True at the next step of the reader."""
        if not self._steps or self._steps[0][0] == "read":
            return True
        self._play(self._steps.pop(0))
        return False

    def _play(self, step: Any) -> None:
        match step:
            case ("write", stream, size, ended):
                self._number += 1
                rest = DISTINCT[:size] if self._is_distinct else b"x" * size
                text = f"{self._number}:".encode() + rest + (b"\n" if ended else b"")
                self.log.write(stream, text)
            case ("clock", by_ns):
                self.log.now_ns += by_ns
            case ("rotate", count):
                lost = {stream for stream, _, _ in self.log.entries[:count]}
                known = {stream for stream, cursor in self.cursors.items() if cursor.taken}
                self.unseen |= lost - known
                self.log.rotate(count)

    def check(self) -> None:
        """Asserts that every printed byte is stored once and in order, except at gap marks."""
        for stream in STREAMS:
            printed = self.log.printed[stream].decode()
            printed += "" if printed.endswith("\n") or not printed else "\n"
            parts = [""]
            for line in (line for line in self.stored if line.stream == stream):
                parts += [""] if line.gap else []
                parts[-1] += line.text + ("" if line.partial else "\n")
            at = 0
            for number, part in enumerate(parts):
                found = printed.find(part, at)
                assert found >= 0, f"{stream}: {part!r} of {parts} is not in what follows {printed[:at]!r}"
                assert number or found == 0 or stream in self.unseen, (
                    f"{stream}: begins with {part!r}, of {printed!r}"
                )
                at = found + len(part)
            assert printed.endswith(parts[-1]), f"{stream}: ends with {parts[-1]!r}, of {printed!r}"
            if len(parts) == 1 and stream not in self.unseen:
                assert at == len(printed), f"{stream}: {printed[at:]!r} is missing without a mark"

    @property
    def gaps(self) -> int:
        return sum(line.gap is not None for line in self.stored)


writes = st.tuples(
    st.just("write"),
    st.sampled_from(STREAMS),
    st.sampled_from([0, 1, 5, 20, 60]),
    st.sampled_from([True, True, False]),
)
clocks = st.tuples(st.just("clock"), st.sampled_from([1, 1, 2, 1000, -1, -2, -HOUR_NS, HOUR_NS, 2 * HOUR_NS]))
reads = st.tuples(
    st.just("read"), st.sampled_from([0, 1, 2, 3, 10**9]), st.sampled_from([None, None, 10, 50, 100, 300])
)
rotations = st.tuples(st.just("rotate"), st.sampled_from([1, 2, 3, 5, 20]))


short_stories = st.lists(writes | clocks | reads, max_size=30)
"""No rotation."""
stories = st.lists(writes | clocks | reads | rotations, max_size=30)
