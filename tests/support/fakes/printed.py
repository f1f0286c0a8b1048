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


async def output(
    box: Container, taken: int, hints: Hints, answers: Callable[[], None]
) -> AsyncGenerator[tuple[StreamName, bytes], None]:
    """Yields a worker's output after its first `taken` lines, its unfinished line at once, until the worker has ended. `answers` as in
    `printed`.
    """
    rest = None
    with hints.waiting() as news:
        while True:
            news.clear()
            answers()
            fresh, taken = box.log[taken:], len(box.log)
            for line in fresh:
                yield line.stream, line.text.encode() + b"\n"
            if box.unfinished is not rest and box.unfinished is not None:
                rest = box.unfinished
                yield rest.stream, rest.text.encode()
            if box.facts.ended:
                return
            await news.wait()


def _cursor(lines: int) -> LogCursor:
    return LogCursor(msgspec.json.encode({"lines": lines}))
