"""Time as a dependency: the wall clock for what is stored, the monotonic clock for durations.

Owns the only calls to the system's clocks. `jobd.testing.clock.FakeClock` stands in for it in tests.
"""

import asyncio
import time
from datetime import UTC, datetime
from typing import Protocol


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


class SystemClock:
    """The real clocks."""

    def now(self) -> datetime:
        """Source: CLOCK_REALTIME."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Source: CLOCK_MONOTONIC."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Source: the event loop's timer."""
        await asyncio.sleep(seconds)
