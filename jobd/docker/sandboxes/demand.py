"""How many sandboxes are wanted, from the number of jobs that ran at once. Pure.

From the first job on, one sandbox is kept. With more jobs at once, as many are kept as there were jobs at once within the last minute, up
to the bound: a job that finds none ready has a plain start, and the next such job finds one. A sandbox that serves one job alone costs
the engine more than a plain start: if most jobs use their network, one sandbox is kept all the same, for the job that comes alone.
"""

from collections import deque

MINIMUM = 1
"""Sandboxes that are kept between jobs."""
REMEMBERED_S = 60.0
REMEMBERED_LEASES = 16


class Demand:
    """The demand for sandboxes. `bound`: the most sandboxes at once, leased ones included; 0: none. Times by one monotonic clock."""

    def __init__(self, bound: int) -> None:
        self._bound = bound
        self._in_use = 0
        self._peak = 0
        self._peak_at = 0.0
        self._is_known = False
        self._reused: deque[bool] = deque(maxlen=REMEMBERED_LEASES)

    def changed(self, in_use: int, now: float) -> None:
        """Notes how many jobs hold or would have liked a sandbox."""
        self._in_use = in_use
        self._is_known = self._is_known or in_use > 0
        if in_use >= self._peak:
            self._peak, self._peak_at = in_use, now

    def released(self, reused: bool) -> None:
        """Notes whether a sandbox serves another job after the end of one."""
        self._reused.append(reused)

    @property
    def _is_worthwhile(self) -> bool:
        return 2 * sum(self._reused) >= len(self._reused)

    def wanted(self, now: float) -> int:
        """Returns how many sandboxes there should be, leased ones included."""
        if now - self._peak_at >= REMEMBERED_S:
            self._peak, self._peak_at = self._in_use, now
        if not self._is_known:
            return 0
        return min(max(MINIMUM, self._peak if self._is_worthwhile else MINIMUM), self._bound)
