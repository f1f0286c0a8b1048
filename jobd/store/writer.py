"""The one thread that writes: what waits together is committed together.

Owns the write connection after the start, the waiting line and the transactions. A change is a function of the
connection; it may be run again when the group that it was in could not be committed, so it must do nothing else.
Knows no table.
"""

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from jobd.store.errors import StoreClosed, StoreError, translated

Change = Callable[[sqlite3.Connection], Any]
T = TypeVar("T")

MAX_GROUP = 256
MAX_WAITING = 2048
"""Changes that wait or are being written; callers beyond that wait for their turn to wait."""


@dataclass(slots=True)
class _Waiting:
    change: Change
    future: asyncio.Future[Any]
    result: Any = None
    error: Exception | None = None


class Writer:
    """Runs changes on its thread, each in a savepoint of its own, a group in one transaction.

    `reopen` makes a new connection after the disk has failed under the old one. Belongs to one event loop.
    """

    def __init__(self, connection: sqlite3.Connection, reopen: Callable[[], sqlite3.Connection]) -> None:
        self._loop = asyncio.get_running_loop()
        self._connection: sqlite3.Connection | None = connection
        self._reopen = reopen
        self._line: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._room = asyncio.Semaphore(MAX_WAITING)
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._thread.start()

    async def write(self, change: Callable[[sqlite3.Connection], T]) -> T:
        """Runs `change` and returns its result once it is on the disk.

        A caller that is cancelled meanwhile does not take the change back.

        Raises:
            StoreError: what the change raised, or why it could not be kept; then nothing of it was.
        """
        await self._room.acquire()
        if self._closing:
            self._room.release()
            raise StoreClosed("the store is closed")
        waiting = _Waiting(change, self._loop.create_future())
        self._line.put(waiting)
        result: T = await waiting.future
        return result

    async def close(self) -> None:
        """Writes what waits, then ends the thread and closes the connection. Safe to repeat."""
        if not self._closing:
            self._closing = True
            self._line.put(None)
        await asyncio.to_thread(self._thread.join)

    # Below: on the writer's thread.

    def _run(self) -> None:
        going_on = True
        while going_on:
            group: list[_Waiting] = []
            item = self._line.get()
            while item is not None:
                group.append(item)
                if len(group) == MAX_GROUP or self._line.empty():
                    break
                item = self._line.get()
            going_on = item is not None
            if group:
                self._write_group(group)
                self._loop.call_soon_threadsafe(self._answer, group)
        if self._connection is not None:
            try:
                self._connection.close()
            except sqlite3.Error:
                pass  # the log file stays and is read at the next start

    def _write_group(self, group: list[_Waiting]) -> None:
        failure = self._transaction(group)
        if failure is None:
            return
        if len(group) == 1:
            group[0].error = failure
            return
        for waiting in group:
            waiting.result, waiting.error = None, None
            waiting.error = self._transaction([waiting]) or waiting.error

    def _transaction(self, group: list[_Waiting]) -> Exception | None:
        """Commits a group. Returns why nothing of it was kept, or None; each one's own error stays with it."""
        try:
            connection = self._connection = self._connection or self._reopen()
            connection.execute("BEGIN IMMEDIATE")
            for waiting in group:
                connection.execute("SAVEPOINT one")
                try:
                    waiting.result = waiting.change(connection)
                except Exception as error:
                    if not connection.in_transaction:
                        raise  # SQLite has taken the whole transaction back
                    connection.execute("ROLLBACK TO one")
                    waiting.error = _known(error)
                connection.execute("RELEASE one")
            connection.execute("COMMIT")
        except Exception as error:
            self._take_back(error)
            return _known(error)
        return None

    def _take_back(self, error: Exception) -> None:
        connection = self._connection
        if connection is None:
            return
        try:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            if getattr(error, "sqlite_errorcode", 0) & 0xFF != sqlite3.SQLITE_IOERR:
                return
        except sqlite3.Error:
            pass  # the connection is of no more use: the next change opens another
        self._connection = None
        try:
            connection.close()
        except sqlite3.Error:
            pass  # nothing of it is committed, so nothing is lost with it

    # Below: on the event loop.

    def _answer(self, group: list[_Waiting]) -> None:
        for waiting in group:
            self._room.release()
            if waiting.future.done():
                continue
            if waiting.error is not None:
                waiting.future.set_exception(waiting.error)
            else:
                waiting.future.set_result(waiting.result)


def _known(error: Exception) -> Exception:
    """SQLite's and the system's errors become the store's; a mistake in a change stays what it is."""
    return translated(error) if isinstance(error, sqlite3.Error | OSError | StoreError) else error
