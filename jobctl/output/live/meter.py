"""The progress line of a file transfer: bytes, total and rate. Short transfers show none, and neither do pipes and files."""

import time
from collections.abc import Generator, Iterator
from contextlib import ExitStack

from jobctl.output import drawing, output
from jobctl.output.live.live_terminal import raise_on_signals
from jobctl.units import bytes_text

QUIET_FOR_S = 0.6
EVERY_S = 0.2


def metered(
    blocks: Iterator[bytes], what: str, total_bytes: int | None = None
) -> Generator[bytes, None, None]:
    """Yields the blocks unchanged and shows `what`, with a bar where `total_bytes` is known. While the line is shown, SIGTERM and
    SIGHUP raise `EndedBySignal`. Closing the generator removes the line; the caller closes it also before the last block.
    """
    if not output.can_animate(on_stderr=True):
        yield from blocks
        return
    begun = time.monotonic()
    due, done = begun + QUIET_FOR_S, 0
    screen: drawing.Screen | None = None
    with ExitStack() as stack:
        for block in blocks:
            done += len(block)
            now = time.monotonic()
            if now >= due:
                if screen is None:
                    stack.enter_context(raise_on_signals())
                    screen = stack.enter_context(drawing.screen(on_stderr=True))
                if screen is not None:
                    screen.show(line(what, done, total_bytes, done / (now - begun)))
                due = now + EVERY_S
            yield block
        if screen is not None:
            screen.show("")


def line(what: str, done: int, total_bytes: int | None, rate: float) -> str:
    """Returns the progress line; `rate` in bytes a second. Pure."""
    total = None if total_bytes is None else max(total_bytes, done)
    of = f" of {bytes_text(total)}" if total is not None else ""
    parts = [what, output.bar(done, total), f"{bytes_text(done)}{of}", f"{bytes_text(int(rate))}/s"]
    return "  ".join(part for part in parts if part)
