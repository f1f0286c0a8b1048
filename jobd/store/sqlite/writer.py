"""The one thread that writes: what waits together is committed together.

Owns the write connection after the start, the waiting line and the transactions, and who may use the reserve of a disk that is
full. A change is a function of the connection; it may be run again when the group that it was in could not be committed, so it
must do nothing else. Knows no table.
"""

import asyncio
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from jobd.store.errors import StoreClosed, StoreError, StoreFull, translated
from jobd.store.sqlite.database import fold_back, reading_damaged_text
from jobd.store.sqlite.reserve import Reserve
from jobd.store.sqlite.room import Room

Change = Callable[[sqlite3.Connection], Any]
T = TypeVar("T")

MAX_GROUP = 256
MAX_GROUP_BYTES = 2 << 20
"""A group is closed with the change that reaches this size. With what the log file holds before a checkpoint it fits into the reserve."""
MAX_WAITING = 2048
MAX_WAITING_BYTES = 32 << 20
"""Changes that wait or are being written; callers beyond that wait for their turn to wait."""
RESTORE_AGAIN_S = 1.0

FULL = (
    "the disk of the state folder is full: what is left is kept for the jobs that run and for deleting; "
    "make room on it, or delete jobs"
)


@dataclass(slots=True)
class _Waiting:
    change: Change
    future: asyncio.Future[Any]
    size_bytes: int = 0
    needs_room: bool = False
    alone: bool = False
    result: Any = None
    error: Exception | None = None


class Writer:
    """Runs changes on its thread, each in a savepoint of its own, a group in one transaction.

    `reopen` makes a new connection after the disk has failed under the old one. `reserve`, where there is one, is given up when
    the disk is full. Belongs to one event loop.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        reopen: Callable[[], sqlite3.Connection],
        reserve: Reserve | None = None,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._connection: sqlite3.Connection | None = connection
        self._reopen = reopen
        self._reserve = reserve
        self._restored_at = float("-inf")
        self._line: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self.room = Room(MAX_WAITING, MAX_WAITING_BYTES)
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._thread.start()

    async def write(
        self,
        change: Callable[[sqlite3.Connection], T],
        *,
        size_bytes: int = 0,
        needs_room: bool = False,
        alone: bool = False,
    ) -> T:
        """Runs `change` and returns its result once it is on the disk.

        `size_bytes`: how much it holds and writes, about. `needs_room`: it is refused while the reserve is given up. `alone`: it is
        run outside of any transaction. A caller that is cancelled meanwhile does not take the change back.

        Raises:
            StoreError: what the change raised, or why it could not be kept; then nothing of it was.
        """
        await self.room.enter(size_bytes)
        if self._closing:
            self.room.leave(size_bytes)
            raise StoreClosed("the store is closed")
        waiting = _Waiting(change, self._loop.create_future(), size_bytes, needs_room, alone)
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
        item = self._line.get()
        while item is not None:
            group, item = self._group(item)
            if group[0].alone:
                self._outside(group[0])
            else:
                self._write_group(group)
            self._loop.call_soon_threadsafe(self._answer, group)
            item = item or self._line.get()
        if self._connection is not None:
            try:
                self._connection.close()
            except sqlite3.Error:
                pass  # the log file stays and is read at the next start

    def _group(self, first: _Waiting) -> tuple[list[_Waiting], _Waiting | None]:
        """What is written with `first`, and what was taken from the line and must wait for the next turn."""
        group, size = [first], first.size_bytes
        while (
            not first.alone and len(group) < MAX_GROUP and size < MAX_GROUP_BYTES and not self._line.empty()
        ):
            item = self._line.get()
            if item is None:
                self._line.put(None)  # nothing comes after it
                break
            if item.alone:
                return group, item
            group.append(item)
            size += item.size_bytes
        return group, None

    def _write_group(self, group: list[_Waiting]) -> None:
        group = self._with_room(group)
        failure = self._transaction(group) if group else None
        if failure is not None and self._gave_up_reserve(failure):
            group = self._with_room(group)
            failure = self._transaction(group) if group else None
        if failure is None:
            return
        if len(group) == 1:
            group[0].error = failure
            return
        for waiting in group:
            waiting.result, waiting.error = None, None
            waiting.error = self._transaction([waiting]) or waiting.error

    def _with_room(self, group: list[_Waiting]) -> list[_Waiting]:
        """Refuses what would use up the reserve of a full disk; returns the rest."""
        if self._reserve is None or self._reserve.held or not any(one.needs_room for one in group):
            return group
        now = time.monotonic()
        if now - self._restored_at >= RESTORE_AGAIN_S:
            self._restored_at = now
            if self._reserve.restore():
                return group
        for one in group:
            if one.needs_room:
                one.result, one.error = None, StoreFull(FULL)
        return [one for one in group if not one.needs_room]

    def _gave_up_reserve(self, failure: Exception) -> bool:
        if self._reserve is None:
            return False
        if not (isinstance(failure, StoreFull) or self._reserve.disk_is_full):
            return False
        self._restored_at = time.monotonic()
        if not self._reserve.give_up():
            return False
        if self._connection is not None:
            fold_back(self._connection)
        return True

    def _transaction(self, group: list[_Waiting]) -> Exception | None:
        """Commits a group. Returns why nothing of it was kept, or None; each one's own error stays with it."""
        for waiting in group:
            waiting.result, waiting.error = None, None
        try:
            connection = self._connection = self._connection or self._reopen()
            connection.execute("BEGIN IMMEDIATE")
            for waiting in group:
                connection.execute("SAVEPOINT one")
                try:
                    waiting.result = reading_damaged_text(
                        connection, waiting.change, lambda: connection.execute("ROLLBACK TO one")
                    )
                except Exception as error:
                    if not connection.in_transaction or is_full(error):
                        raise  # SQLite has taken the whole transaction back, or the disk is full
                    connection.execute("ROLLBACK TO one")
                    waiting.error = _known(error)
                connection.execute("RELEASE one")
            connection.execute("COMMIT")
            if self._reserve is not None and not self._reserve.held:
                fold_back(connection)
        except Exception as error:
            self._take_back(error)
            return _known(error)
        return None

    def _outside(self, waiting: _Waiting) -> None:
        try:
            connection = self._connection = self._connection or self._reopen()
            waiting.result = waiting.change(connection)
        except Exception as error:
            self._take_back(error)
            waiting.error = _known(error)

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
            self.room.leave(waiting.size_bytes)
            if waiting.future.done():
                continue
            if waiting.error is not None:
                waiting.future.set_exception(waiting.error)
            else:
                waiting.future.set_result(waiting.result)


def is_full(error: Exception) -> bool:
    """True where SQLite says that there is no room."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL


def _known(error: Exception) -> Exception:
    """SQLite's and the system's errors become the store's; a mistake in a change stays what it is."""
    return translated(error) if isinstance(error, sqlite3.Error | OSError | StoreError) else error
