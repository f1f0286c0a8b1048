"""Time as a dependency: the wall clock for stored times, the monotonic clock for durations, and waiting on that clock.

Owns the only calls to the system's clocks. Tests pass `tests.support.fakes.clock.FakeClock` instead.
"""

import asyncio
import time
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Protocol

SAME_OFFSET_S = 0.5
"""Two values of `Clock.offset` differ by less, unless somebody sets the wall clock between them."""


class Clock(Protocol):
    """The clocks that jobd reads."""

    def now(self) -> datetime:
        """The wall clock as an aware UTC time: comparable across restarts, may jump."""
        ...

    def monotonic(self) -> float:
        """Seconds that only grow: for durations within one run."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Returns after `seconds` on the monotonic clock."""
        ...

    @property
    def boot(self) -> str:
        """The id of the machine's current boot: two values of `offset` are comparable only within one boot."""
        ...

    def offset(self) -> float:
        """The wall clock less the uptime, in seconds: changes only when somebody sets the wall clock."""
        ...

    def uptime(self) -> float:
        """Seconds since boot, including suspended time: nobody can set this clock. Comparable only within one `boot`."""
        ...


async def wait_for(event: asyncio.Event, clock: Clock, seconds: float) -> bool:
    """Returns True once `event` is set, False after `seconds` on `clock`."""
    if event.is_set():
        return True
    sleeper = asyncio.ensure_future(clock.sleep(seconds))
    waiter = asyncio.ensure_future(event.wait())
    try:
        await asyncio.wait({sleeper, waiter}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        sleeper.cancel()
        waiter.cancel()
        await asyncio.gather(sleeper, waiter, return_exceptions=True)
    return event.is_set()


def wall_clock_and_offset(clock: Clock) -> tuple[datetime, float]:
    """Returns the wall clock and its offset at the same instant, even if somebody sets the clock meanwhile."""
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
        """Source: random(4), /proc/sys/kernel/random/boot_id."""
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
