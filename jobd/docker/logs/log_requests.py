"""The requests that read a container's log from stored positions on.

Owns the order of these requests. The engine's `since` is not used: `since` compares times, and the engine's clock may be set
while a container runs. Instead, jobd requests the log's last entries, then more of them, then the whole log, until the positions
are found; only a whole log without the positions shows that lines are lost. The caller sends the requests.

Source: Docker Engine API, ContainerLogs (`tail`, `follow`).
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, aclosing
from typing import Protocol, get_args

from jobd.docker.logs.log_cursors import PositionedLine, Positions, positions_after
from jobd.docker.logs.log_parser import BATCH_LINES, LogReader
from jobd.docker.logs.log_positions import Missing
from jobd.jobs.port.errors import EngineUnavailable
from jobd.jobs.port.model import StreamName

WINDOWS = (1000, 100_000)
"""The numbers of last entries that are requested before the whole log."""
WHOLE_READS = 4
"""A log that grows and rotates may lose a position between two requests."""
LOCATE_S = 30.0
"""The time in which a followed log must reach its positions."""


class Answer(Protocol):
    """The body of the engine's answer."""

    def chunks(self) -> AsyncIterator[bytes]:
        """Yields what has arrived, as it arrives."""
        ...


Ask = Callable[[Mapping[str, str]], AbstractAsyncContextManager[Answer]]
"""Sends a request for the log with these parameters."""


async def lines_after(
    ask: Ask,
    positions: Positions,
    follow: bool,
    windows: tuple[int, ...] = WINDOWS,
    *,
    raw: bool = False,
) -> AsyncGenerator[list[PositionedLine], None]:
    """Yields the lines after the positions, in batches; with `follow`, until the engine ends the log. `raw`: the container has a terminal.

    Raises: EngineUnavailable: the log was cut, or rotated faster than read; resume from the last position. DamagedLog.
    """
    reading = _Reading(ask, positions, windows, raw)
    parts = [reading.catch_up(last=not follow)] if positions else []
    if follow or not positions:
        parts.append(reading.live(follow))
    for part in parts:
        async with aclosing(part) as batches:
            async for batch in batches:
                yield batch


class _Reading:
    """Reads a log in several requests; `positions` are the positions after the yielded lines."""

    def __init__(self, ask: Ask, positions: Positions, windows: tuple[int, ...], raw: bool) -> None:
        self.positions = dict(positions)
        self._ask = ask
        self._window_sizes = windows
        self._raw = raw

    async def catch_up(self, *, last: bool) -> AsyncGenerator[list[PositionedLine], None]:
        """Reads the log to its present end; `last`: includes a last line without a newline."""
        missing: dict[StreamName, Missing] = {}
        for window in (*self._windows(), *[None] * WHOLE_READS):
            reader = LogReader(self.positions, missing, raw=self._raw)
            async with aclosing(self._read(reader, window, follow=False)) as batches:
                async for batch in batches:
                    yield batch
            whole = window is None or reader.entries < window
            if reader.located or (whole and reader.settled):
                for batch in self._kept([*(reader.end() if last else []), *reader.marks()]):
                    yield batch
                return
            missing = reader.missing if whole else {}
        raise EngineUnavailable("the engine rotates the log faster than it is read")

    async def live(self, follow: bool) -> AsyncGenerator[list[PositionedLine], None]:
        """Reads the lines after the positions and, with `follow`, the lines that are added."""
        reader = LogReader(self.positions, raw=self._raw)
        window = next(iter(self._windows()), None)
        async with aclosing(self._read(reader, window, follow=follow)) as batches:
            async for batch in batches:
                yield batch
        if not follow:
            for batch in self._kept(reader.end()):
                yield batch

    async def _read(
        self, reader: LogReader, window: int | None, *, follow: bool
    ) -> AsyncGenerator[list[PositionedLine], None]:
        params = {"stdout": "1", "stderr": "1", "timestamps": "1", "follow": "1" if follow else "0"}
        if window is not None:
            params["tail"] = str(window)
        locate_until = asyncio.get_running_loop().time() + LOCATE_S
        async with self._ask(params) as body:
            chunks = aiter(body.chunks())
            while True:
                limit = locate_until if follow and not reader.located else None
                try:
                    async with asyncio.timeout_at(limit):
                        chunk = await anext(chunks, b"")
                except TimeoutError:
                    raise EngineUnavailable("the log rotated past the stored position") from None
                if not chunk:
                    break
                for batch in self._kept(reader.feed(chunk)):
                    yield batch
                if window is not None and follow and reader.entries > window and not reader.located:
                    raise EngineUnavailable("the log rotated past the stored position")
        if not follow:
            for batch in self._kept(reader.feed_end()):
                yield batch
        if reader.cut:
            raise EngineUnavailable("the log stream was cut")

    def _windows(self) -> tuple[int, ...]:
        """The end of a log suffices if both streams have a position with a check: without a check, a position in a long line whose
        beginning is not read looks like a later position.
        """
        positions = [position.in_other_stream or position for position in self.positions.values()]
        known = all(position.timestamp and position.check is not None for position in positions)
        return self._window_sizes if known and len(positions) == len(get_args(StreamName)) else ()

    def _kept(self, lines: list[PositionedLine]) -> list[list[PositionedLine]]:
        self.positions = positions_after(self.positions, lines)
        return [lines[at : at + BATCH_LINES] for at in range(0, len(lines), BATCH_LINES)]
