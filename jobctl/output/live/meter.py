"""The progress of a file transfer: bytes, total, rate and the time that is left. On a terminal one line that is drawn again, otherwise a line
every few seconds. Short transfers show none.
"""

import time
from collections.abc import Generator, Iterator
from contextlib import ExitStack

from jobctl.output import drawing, output
from jobctl.output.live.live_terminal import raise_on_signals
from jobctl.output.live.rate import moved_text

QUIET_FOR_S = 0.6
EVERY_S = 0.2
PLAIN_EVERY_S = 5.0


def metered(
    blocks: Iterator[bytes], what: str, total_bytes: int | None = None, *, quiet: bool = False
) -> Generator[bytes, None, None]:
    """Yields the blocks unchanged and shows `what`, with a bar where `total_bytes` is known. While the line is shown, SIGTERM and
    SIGHUP raise `EndedBySignal`. Closing the generator removes the line; the caller closes it also before the last block. `quiet`: shows
    nothing.
    """
    if quiet:
        yield from blocks
        return
    animated = output.can_animate(on_stderr=True)
    begun = time.monotonic()
    due, done = begun + (QUIET_FOR_S if animated else PLAIN_EVERY_S), 0
    screen: drawing.Screen | None = None
    with ExitStack() as stack:
        for block in blocks:
            done += len(block)
            now = time.monotonic()
            if now >= due:
                if animated and screen is None:
                    stack.enter_context(raise_on_signals())
                    screen = stack.enter_context(drawing.screen(on_stderr=True))
                if screen is not None:
                    screen.show(line(what, done, total_bytes, done / (now - begun)))
                elif not animated:
                    output.note(f"{what}: {moved_text(done, total_bytes, done / (now - begun))}")
                due = now + (EVERY_S if animated else PLAIN_EVERY_S)
            yield block
        if screen is not None:
            screen.show("")


def line(what: str, done: int, total_bytes: int | None, bytes_per_s: float) -> str:
    """Returns the progress line. Pure."""
    total = None if total_bytes is None else max(total_bytes, done)
    parts = [what, output.bar(done, total), moved_text(done, total, bytes_per_s)]
    return "  ".join(part for part in parts if part)
