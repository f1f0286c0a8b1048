"""A clock that only tests advance: makes backoffs, deadlines and cooldowns exact."""

import asyncio
import heapq
from datetime import UTC, datetime, timedelta

_START = datetime(2030, 1, 1, tzinfo=UTC)


class FakeClock:
    """Implements `jobd.clock.Clock`. `advance` moves both clocks and wakes the sleepers that are due, in order."""

    def __init__(self, start: datetime = _START, boot: str = "fake") -> None:
        self._now = start
        self._boot = boot
        self._monotonic = 0.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._count = 0

    def now(self) -> datetime:
        """The fake wall clock, aware UTC."""
        return self._now

    def monotonic(self) -> float:
        """Seconds since this clock was made."""
        return self._monotonic

    async def sleep(self, seconds: float) -> None:
        """Returns once `advance` has moved the clock by `seconds`."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._count += 1
        heapq.heappush(self._sleepers, (self._monotonic + seconds, self._count, future))
        await future

    @property
    def boot(self) -> str:
        """The boot id, which tests may replace."""
        return self._boot

    def offset(self) -> float:
        """Only `jump` changes the offset."""
        return self._now.timestamp() - self._monotonic

    def uptime(self) -> float:
        """Seconds since this clock was made."""
        return self._monotonic

    def advance(self, seconds: float) -> None:
        """Moves both clocks by `seconds` and wakes the sleepers that are due."""
        self._monotonic += seconds
        self._now += timedelta(seconds=seconds)
        while self._sleepers and self._sleepers[0][0] <= self._monotonic:
            _, _, future = heapq.heappop(self._sleepers)
            if not future.done():
                future.set_result(None)

    def jump(self, seconds: float) -> None:
        """Moves the wall clock alone, as an operator or NTP does."""
        self._now += timedelta(seconds=seconds)
