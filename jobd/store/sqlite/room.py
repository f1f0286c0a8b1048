"""How much may wait to be written: a number of changes and a number of bytes, given out in the order of asking.

Owns the counts and the line of callers. Belongs to one event loop.
"""

import asyncio
from collections import deque


class Room:
    """Lets callers in while fewer than `max_count` changes of less than `max_bytes` together are inside.

    A change that alone is over `max_bytes` is let in when nothing else is inside.
    """

    def __init__(self, max_count: int, max_bytes: int) -> None:
        self._max_count = max_count
        self._max_bytes = max_bytes
        self._line: deque[tuple[asyncio.Future[None], int]] = deque()
        self.count = 0
        self.size_bytes = 0

    async def enter(self, size_bytes: int) -> None:
        """Returns once there is room for `size_bytes`; each call needs one `leave` with the same number."""
        if not self._line and self._fits(size_bytes):
            self._take(size_bytes)
            return
        place = (asyncio.get_running_loop().create_future(), size_bytes)
        self._line.append(place)
        try:
            await place[0]
        except asyncio.CancelledError:
            if place[0].done() and not place[0].cancelled():
                self.leave(size_bytes)  # the room was given while the caller was being cancelled
            else:
                self._line.remove(place)
                self._let_in()
            raise

    def leave(self, size_bytes: int) -> None:
        """Gives the room free and lets in who has waited longest."""
        self.count -= 1
        self.size_bytes -= size_bytes
        self._let_in()

    def _let_in(self) -> None:
        # One whose caller is being cancelled leaves the line by itself, and then lets in who is behind it.
        while self._line and not self._line[0][0].done() and self._fits(self._line[0][1]):
            future, size_bytes = self._line.popleft()
            self._take(size_bytes)
            future.set_result(None)

    def _fits(self, size_bytes: int) -> bool:
        if self.count == 0:
            return True
        return self.count < self._max_count and self.size_bytes + size_bytes <= self._max_bytes

    def _take(self, size_bytes: int) -> None:
        self.count += 1
        self.size_bytes += size_bytes
