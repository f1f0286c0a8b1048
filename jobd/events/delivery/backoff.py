"""How long to wait before the next try: full jitter between nothing and a bound that doubles.

The policy only; who waits, and where, is the dispatcher's and the outbox's work.

Source: "Exponential Backoff and Jitter", AWS Architecture Blog.
"""

import random
from collections.abc import Callable

from aiohttp import ClientResponse
from aiohttp_retry import RetryOptionsBase

_LARGEST_POWER = 60


class FullJitter(RetryOptionsBase):
    """Waits evenly spread over 0 to `initial_s * 2**attempt`, never more than `max_s`. `spread` gives numbers in [0, 1)."""

    def __init__(
        self, retries: int, initial_s: float, max_s: float, spread: Callable[[], float] = random.random
    ) -> None:
        super().__init__(attempts=retries + 1, statuses={408, 425, 429}, methods={"POST"})
        self._initial_s = initial_s
        self._max_s = max_s
        self._spread = spread

    def bound_s(self, attempt: int) -> float:
        """Returns the longest wait after try number `attempt`, counted from 0."""
        return min(self._max_s, self._initial_s * 2.0 ** min(attempt, _LARGEST_POWER))

    def get_timeout(self, attempt: int, response: ClientResponse | None = None) -> float:
        """Returns the seconds to wait after try number `attempt`, counted from 0."""
        return self._spread() * self.bound_s(attempt)
