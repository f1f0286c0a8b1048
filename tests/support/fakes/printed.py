"""Reading a fake container's log from cursors on, as the engine streams it.

Must not know of scripts, nor of how a line came to be printed.
"""

from collections.abc import AsyncGenerator, Callable, Mapping

from jobd.jobs.orchestrator import LogCursor, RawLine, StreamName
from tests.support.fakes.hints import Hints
from tests.support.fakes.world import Container

Cursors = Mapping[StreamName, LogCursor]


async def printed(
    box: Container, cursors: Cursors, follow: bool, hints: Hints, answers: Callable[[], None]
) -> AsyncGenerator[list[RawLine], None]:
    """Yields what was printed after the cursors; with `follow` what is printed until the end.

    `answers` raises where the engine is away: also in the middle of a stream.
    """
    taken = 0
    with hints.waiting() as news:
        while True:
            news.clear()
            answers()
            fresh, taken = box.log[taken:], len(box.log)
            if batch := [line for line in fresh if _is_after(line, cursors)]:
                yield batch
                continue
            if not follow or box.facts.state != "running":
                break
            await news.wait()
    if not follow and box.unfinished is not None and _is_after(box.unfinished, cursors):
        yield [box.unfinished]


async def output(
    box: Container, taken: int, hints: Hints, answers: Callable[[], None]
) -> AsyncGenerator[tuple[StreamName, bytes], None]:
    """Yields what a worker prints after its first `taken` lines, its unfinished line at once, until it has ended. `answers` as in
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


def _is_after(line: RawLine, cursors: Cursors) -> bool:
    cursor = cursors.get(line.stream)
    return cursor is None or line.cursor.timestamp > cursor.timestamp
