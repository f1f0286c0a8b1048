"""From an event loop to the threads that make the requests.

A short request runs in one of a few threads, a followed stream in a thread of its own. A wait for the end of a job takes no thread: the
client's one watcher resolves a future.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from jobctl.sdk.streams import Stream

T = TypeVar("T")

THREADS = 8


class Bridge:
    """The threads of one client. Coroutines of any event loop may share them."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="jobctl-requests")

    async def run(self, act: Callable[[], T]) -> T:
        """Returns what `act` returns. A caller that is cancelled leaves the request to its end."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, act)

    async def items(self, opened: Callable[[], Stream[T]]) -> AsyncIterator[T]:
        """Yields the items of a stream. Ending the iteration, or cancelling it, ends the stream's connection."""
        stream = await self.run(opened)
        thread = ThreadPoolExecutor(1, thread_name_prefix="jobctl-stream")
        try:
            while batch := await asyncio.get_running_loop().run_in_executor(thread, stream.batch):
                for item in batch:
                    yield item
        finally:
            stream.close()
            thread.shutdown(wait=False)

    def close(self) -> None:
        """Ends the threads once their present requests are over."""
        self._threads.shutdown(wait=False, cancel_futures=True)
