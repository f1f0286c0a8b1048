"""The reader threads: a few read-only connections beside the writer.

Owns the threads and the connections. In WAL mode a reader does not wait for the writer and sees the last committed state.

A query goes to a thread and its result comes back in one step each. `run_in_executor` does the same with two futures and a lock for
each query, which takes twice the time of a short query.
"""

import asyncio
import contextlib
import queue
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from jobd.store.errors import StoreClosed, translated
from jobd.store.sqlite.database import open_reader, run_despite_bad_utf8

T = TypeVar("T")
_Query = tuple[Callable[[sqlite3.Connection], Any], "asyncio.Future[Any]"]

READERS = 2
MAX_WAITING = 512


class Reader:
    """Runs queries on the reader threads. Belongs to one event loop."""

    def __init__(self, path: Path) -> None:
        self._queue: queue.SimpleQueue[_Query | None] = queue.SimpleQueue()
        self._queue_limit = asyncio.Semaphore(MAX_WAITING)
        self._closed = False
        self._threads = tuple(
            threading.Thread(target=self._run, args=(open_reader(path),), name="store-reader", daemon=True)
            for _ in range(READERS)
        )
        for thread in self._threads:
            thread.start()

    async def read(self, query: Callable[[sqlite3.Connection], T]) -> T:
        """Runs `query` and returns its result.

        Raises:
            StoreError: the database could not be read.
        """
        async with self._queue_limit:
            if self._closed:
                raise StoreClosed("the store is closed")
            future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
            self._queue.put((query, future))
            return await future

    async def close(self) -> None:
        """Waits for the queued queries, then closes the connections. Safe to repeat."""
        if not self._closed:
            self._closed = True
            for _ in self._threads:
                self._queue.put(None)
        for thread in self._threads:
            await asyncio.to_thread(thread.join)

    # On a reader thread:

    def _run(self, connection: sqlite3.Connection) -> None:
        # No name here refers to a query or its result: the thread would keep a page of jobs until the next query.
        while self._answered(connection, self._queue.get()):
            pass
        connection.close()

    def _answered(self, connection: sqlite3.Connection, item: _Query | None) -> bool:
        """Runs one query; returns False at the end of the queue."""
        if item is None:
            return False
        query, future = item
        if future.cancelled():
            return True
        result: Any = None
        error: BaseException | None = None
        try:
            result = run_despite_bad_utf8(connection, query)
        except sqlite3.Error as failure:
            error = translated(failure)
            error.__cause__ = failure
        except BaseException as failure:
            error = failure
        with contextlib.suppress(RuntimeError):  # the event loop is closed: no task waits any more
            future.get_loop().call_soon_threadsafe(_resolve, future, result, error)
        return True


def _resolve(future: "asyncio.Future[Any]", result: Any, error: BaseException | None) -> None:
    if future.done():
        return  # its task was cancelled
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(result)
