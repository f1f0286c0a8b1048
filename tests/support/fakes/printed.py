"""Reads a fake container's log from a cursor on, as the engine streams logs. A cursor is the number of read lines.

Must not know of scripts.
"""

from collections.abc import AsyncGenerator, Callable

import msgspec

from jobd.jobs.port.model import LogBatch, LogCursor, StreamName
from tests.support.fakes.containers import Container
from tests.support.fakes.hints import Hints


async def printed(
    box: Container, cursor: LogCursor, follow: bool, hints: Hints, answers: Callable[[], None]
) -> AsyncGenerator[LogBatch, None]:
    """Yields the lines after the cursor; with `follow` also new lines until the end.

    `answers` raises while the engine is unavailable: also in the middle of a stream.
    """
    taken = msgspec.json.decode(cursor, type=dict[str, int]).get("lines", 0)
    with hints.waiting() as news:
        while True:
            news.clear()
            answers()
            if fresh := box.log[taken:]:
                taken += len(fresh)
                yield LogBatch(fresh, _cursor(taken))
                continue
            if not follow or not box.running:
                break
            await news.wait()
    if not follow and box.unfinished is not None and taken == len(box.log):
        yield LogBatch([box.unfinished], _cursor(taken + 1))


class FakeOutput:
    """A connection to a worker's output from now on: its unfinished line comes at once. `answers` as in `printed`."""

    def __init__(self, box: Container, hints: Hints, answers: Callable[[], None]) -> None:
        self._box = box
        self._hints = hints
        self._answers = answers
        self._taken = len(box.log)

    async def pieces(self) -> AsyncGenerator[tuple[StreamName, bytes], None]:
        """Yields the output until the worker has ended."""
        rest = None
        with self._hints.waiting() as news:
            while True:
                news.clear()
                self._answers()
                fresh, self._taken = self._box.log[self._taken :], len(self._box.log)
                for line in fresh:
                    yield line.stream, line.text.encode() + b"\n"
                if self._box.unfinished is not rest and self._box.unfinished is not None:
                    rest = self._box.unfinished
                    yield rest.stream, rest.text.encode()
                if self._box.facts.ended:
                    return
                await news.wait()

    async def check_end(self) -> None:
        """Returns at once: only an engine that is away breaks the connection."""
        self._answers()


def _cursor(lines: int) -> LogCursor:
    return LogCursor(msgspec.json.encode({"lines": lines}))
