"""Sets the size of a process's terminal: as soon as the process runs, and at each change of the client's terminal."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from jobd.jobs.interactive.streams import Wiring
from jobd.jobs.port.errors import EngineError
from jobd.jobs.port.model import WindowSize

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.01, 1.0

Resize = Callable[[WindowSize], Awaitable[bool]]

log = logging.getLogger(__name__)


async def follow_size(wiring: Wiring, resize: Resize, *, redraws: bool = False) -> None:
    """Runs until it is cancelled. `redraws`: the first size follows another one, at which a program that runs already draws its screen
    again, for a client that has not seen it.
    """
    while True:
        await wiring.resized.wait()
        wiring.resized.clear()
        size = wiring.size
        if size is None:
            continue
        if redraws:
            await _is_set(resize, WindowSize(size.columns, size.rows + 1))
            redraws = False
        pause_s = FIRST_PAUSE_S
        # A process that is about to start has no terminal yet.
        while not wiring.resized.is_set() and not await _is_set(resize, size):
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, LONGEST_PAUSE_S)


async def _is_set(resize: Resize, size: WindowSize) -> bool:
    try:
        return await resize(size)
    except EngineError as error:
        log.info("the size of a terminal is not set", extra={"action": "resize", "error": str(error)})
        return False
