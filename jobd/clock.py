"""Time as a dependency: the wall clock for what is stored, the monotonic clock for durations.

Owns the only calls to the system's clocks. `tests.support.fakes.clock.FakeClock` stands in for it in tests.
"""

import asyncio
import time
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Protocol

SAME_OFFSET_S = 0.5
"""Two readings of the offset differ by less, as long as nobody sets the clock between them."""


class Clock(Protocol):
    """Where parts of jobd get their time from."""

    def now(self) -> datetime:
        """The wall clock as an aware UTC time: survives restarts, may jump."""
        ...

    def monotonic(self) -> float:
        """Seconds that only grow: for durations within one run."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Returns after `seconds` on the monotonic clock."""
        ...

    @property
    def boot(self) -> str:
        """Names the machine's current boot: `offset` of two moments can be compared only within one."""
        ...

    def offset(self) -> float:
        """Seconds from the time since boot to the wall clock: changes only when somebody sets the wall clock."""
        ...

    def uptime(self) -> float:
        """Seconds since boot, those of a suspended machine too: nobody can set them. Of one boot only, see `boot`."""
        ...


def reading(clock: Clock) -> tuple[datetime, float]:
    """Returns the wall clock and its offset as they are at one moment, also where somebody sets the clock meanwhile."""
    while True:
        offset, now = clock.offset(), clock.now()
        if abs(clock.offset() - offset) < SAME_OFFSET_S:
            return now, offset


class SystemClock:
    """The real clocks."""

    def now(self) -> datetime:
        """Source: clock_gettime(2), CLOCK_REALTIME."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Source: clock_gettime(2), CLOCK_MONOTONIC."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Source: Python documentation, `asyncio.sleep`."""
        await asyncio.sleep(seconds)

    @cached_property
    def boot(self) -> str:
        """Source: random(4), boot_id."""
        try:
            return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        except OSError:
            return ""

    def offset(self) -> float:
        """Source: clock_gettime(2), CLOCK_REALTIME less CLOCK_BOOTTIME."""
        return time.time() - self.uptime()

    def uptime(self) -> float:
        """Source: clock_gettime(2), CLOCK_BOOTTIME."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)
