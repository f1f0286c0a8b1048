"""The reader threads: a few read-only connections beside the writer.

Owns the threads and the connections. In WAL mode a reader does not wait for the writer and sees the last committed state.
"""

import asyncio
import queue
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from jobd.store.errors import StoreClosed, translated
from jobd.store.sqlite.database import open_reader, run_despite_bad_utf8

T = TypeVar("T")

READERS = 2
MAX_WAITING = 512


class Reader:
    """Runs queries on the reader threads. Belongs to one event loop."""

    def __init__(self, path: Path) -> None:
        self._idle: queue.SimpleQueue[sqlite3.Connection] = queue.SimpleQueue()
        for _ in range(READERS):
            self._idle.put(open_reader(path))
        self._pool = ThreadPoolExecutor(READERS, thread_name_prefix="store-reader")
        self._queue_limit = asyncio.Semaphore(MAX_WAITING)
        self._closed = False

    async def read(self, query: Callable[[sqlite3.Connection], T]) -> T:
        """Runs `query` and returns its result.

        Raises:
            StoreError: the database could not be read.
        """
        async with self._queue_limit:
            if self._closed:
                raise StoreClosed("the store is closed")
            return await asyncio.get_running_loop().run_in_executor(self._pool, self._query, query)

    def _query(self, query: Callable[[sqlite3.Connection], T]) -> T:
        connection = self._idle.get()
        try:
            return run_despite_bad_utf8(connection, query)
        except sqlite3.Error as error:
            raise translated(error) from error
        finally:
            self._idle.put(connection)

    async def close(self) -> None:
        """Waits for the running queries, then closes the connections. Safe to repeat."""
        if self._closed:
            return
        self._closed = True
        await asyncio.to_thread(self._pool.shutdown)
        while not self._idle.empty():
            self._idle.get().close()
