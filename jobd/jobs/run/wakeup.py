"""A flag that wakes the one task that waits for it. `asyncio.Event` keeps a queue for any number of tasks, most of a kilobyte each."""

import asyncio


class Wakeup:
    """At most one task waits. Belongs to the event loop."""

    __slots__ = ("_is_set", "_waiter")

    def __init__(self) -> None:
        self._is_set = False
        self._waiter: asyncio.Future[None] | None = None

    def is_set(self) -> bool:
        """Returns whether `set` was called since the last `clear`."""
        return self._is_set

    def set(self) -> None:
        """Wakes the task that waits, and each later one until `clear`."""
        self._is_set = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def clear(self) -> None:
        """Lets later tasks wait again."""
        self._is_set = False

    async def wait(self) -> None:
        """Returns once the flag is set."""
        if self._is_set:
            return
        waiter = self._waiter = asyncio.get_running_loop().create_future()
        try:
            await waiter
        finally:
            if self._waiter is waiter:  # a cancelled task may end after the next one has begun to wait
                self._waiter = None
