"""jobd with a probe of its event loop: a timer that is due every 5 ms, and how late the loop runs it.

    BENCH_LAG_FILE=file python -m scripts.bench.programs.probed_jobd [flags of jobd]

The probe starts when jobd is built and writes its samples at jobd's end, three numbers each: the due time, by the machine's monotonic
clock, the seconds of delay, and the seconds of processor time that all threads of jobd have used since the sample before. Uses the hook `jobd.composition.instrument`, and changes nothing in jobd.
"""

import asyncio
import os
import sys
import time
from array import array
from pathlib import Path
from typing import TypeVar

from jobd.__main__ import main

T = TypeVar("T")

INTERVAL_S = 0.005
MOST_SAMPLES = 500_000
"""More than 40 minutes; later delays are not measured."""
VARIABLE = "BENCH_LAG_FILE"


class LagProbe:
    """Measures the loop that builds jobd. Implements `jobd.composition.instrument.Instrument`."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._task: asyncio.Task[None] | None = None

    def __call__(self, part: T, /) -> T:
        """Returns the part as it is; the first call starts the probe."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run(), name="lag probe")
        return part

    async def _run(self) -> None:
        samples = array("d")
        try:
            while len(samples) < 3 * MOST_SAMPLES:
                due, used = time.monotonic() + INTERVAL_S, time.process_time()
                await asyncio.sleep(INTERVAL_S)
                samples.extend((due, max(0.0, time.monotonic() - due), time.process_time() - used))
        finally:  # the loop's end cancels the task
            with self._file.open("wb") as file:
                samples.tofile(file)


if __name__ == "__main__":
    main(sys.argv[1:], instrument=LagProbe(Path(os.environ[VARIABLE])))
