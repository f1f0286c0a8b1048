"""The capacity of the write queue: a limit on the number and on the bytes of queued changes, acquired in FIFO order."""

import asyncio
from collections import deque


class WriteCapacity:
    """Lets callers queue changes while fewer than `max_count` changes of at most `max_bytes` together are queued.

    A change above `max_bytes` waits until no other change is queued. Belongs to one event loop.
    """

    def __init__(self, max_count: int, max_bytes: int) -> None:
        self._max_count = max_count
        self._max_bytes = max_bytes
        self._waiters: deque[tuple[asyncio.Future[None], int]] = deque()
        self.count = 0
        self.size_bytes = 0

    async def acquire(self, size_bytes: int) -> None:
        """Returns once `size_bytes` fit; each call needs one `release` with the same number."""
        if not self._waiters and self._fits(size_bytes):
            self._add(size_bytes)
            return
        waiter = (asyncio.get_running_loop().create_future(), size_bytes)
        self._waiters.append(waiter)
        try:
            await waiter[0]
        except asyncio.CancelledError:
            if waiter[0].done() and not waiter[0].cancelled():
                self.release(size_bytes)  # the caller was cancelled after it had acquired the capacity
            else:
                self._waiters.remove(waiter)
                self._wake_waiters()
            raise

    def release(self, size_bytes: int) -> None:
        """Frees the capacity and wakes the callers that have waited longest."""
        self.count -= 1
        self.size_bytes -= size_bytes
        self._wake_waiters()

    def _wake_waiters(self) -> None:
        # A first waiter whose caller is being cancelled removes itself from the queue, and then wakes the waiters behind it.
        while self._waiters and not self._waiters[0][0].done() and self._fits(self._waiters[0][1]):
            future, size_bytes = self._waiters.popleft()
            self._add(size_bytes)
            future.set_result(None)

    def _fits(self, size_bytes: int) -> bool:
        if self.count == 0:
            return True
        return self.count < self._max_count and self.size_bytes + size_bytes <= self._max_bytes

    def _add(self, size_bytes: int) -> None:
        self.count += 1
        self.size_bytes += size_bytes
