"""The writer thread: the one connection that writes. Changes that are queued together are committed together.

Owns the write connection once the store is open, the queue of changes, the transactions, and the use of the disk reserve. A
change is a function of the connection; if the commit of its group fails, the writer runs the change again, so a change must have
no other effect. Knows no table.
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
from jobd.store.sqlite.database import checkpoint_what_fits, run_despite_bad_utf8
from jobd.store.sqlite.observer import Observer
from jobd.store.sqlite.reserve import Reserve
from jobd.store.sqlite.write_capacity import WriteCapacity

Change = Callable[[sqlite3.Connection], Any]
T = TypeVar("T")

MAX_GROUP = 256
MAX_GROUP_BYTES = 2 << 20
"""A group ends with the change that reaches this size. A group, and the log file before a checkpoint, fit into the reserve."""
MAX_WAITING = 2048
MAX_WAITING_BYTES = 32 << 20
"""Changes that are queued or being written; further callers wait before they may queue theirs."""
ALLOCATE_AGAIN_S = 1.0

FULL = (
    "the disk of the state folder is full: jobd keeps the remaining space for running jobs and for deletions; "
    "free some space on the disk, or delete jobs"
)


@dataclass(slots=True)
class _Queued:
    change: Change
    future: asyncio.Future[Any]
    size_bytes: int = 0
    needs_free_space: bool = False
    outside_transaction: bool = False
    result: Any = None
    error: Exception | None = None


class Writer:
    """Runs changes on its thread: each change in a savepoint of its own, a group of changes in one transaction.

    `reopen` makes a new connection after an input/output error. `reserve`, if there is one, is released when the disk is
    full. `observer` learns what each group has changed. Belongs to one event loop.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        reopen: Callable[[], sqlite3.Connection],
        reserve: Reserve | None = None,
        observer: Observer | None = None,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._observer = observer
        self._connection: sqlite3.Connection | None = self._watched(connection)
        self._reopen = reopen
        self._reserve = reserve
        self._allocated_at = float("-inf")
        self._queue: queue.SimpleQueue[_Queued | None] = queue.SimpleQueue()
        self.capacity = WriteCapacity(MAX_WAITING, MAX_WAITING_BYTES)
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._thread.start()

    async def write(
        self,
        change: Callable[[sqlite3.Connection], T],
        *,
        size_bytes: int = 0,
        needs_free_space: bool = False,
        outside_transaction: bool = False,
    ) -> T:
        """Runs `change` and returns its result once it is on the disk.

        `size_bytes`: the approximate size of the change in memory and on the disk. `needs_free_space`: the writer refuses the
        change while the reserve is released. `outside_transaction`: for statements that SQLite runs in no transaction. The
        change is made even if its caller is cancelled.

        Raises:
            StoreError: the change raised it, or the commit failed; nothing of the change was stored.
        """
        await self.capacity.acquire(size_bytes)
        if self._closing:
            self.capacity.release(size_bytes)
            raise StoreClosed("the store is closed")
        queued = _Queued(
            change, self._loop.create_future(), size_bytes, needs_free_space, outside_transaction
        )
        self._queue.put(queued)
        result: T = await queued.future
        return result

    async def close(self) -> None:
        """Writes the queued changes, then ends the thread and closes the connection. Safe to repeat."""
        if not self._closing:
            self._closing = True
            self._queue.put(None)
        await asyncio.to_thread(self._thread.join)

    # On the writer's thread:

    def _run(self) -> None:
        item = self._queue.get()
        while item is not None:
            group, item = self._next_group(item)
            if group[0].outside_transaction:
                self._run_outside_transaction(group[0])
            else:
                self._write_group(group)
            changed = set() if self._observer is None else self._observer.take()
            self._loop.call_soon_threadsafe(self._resolve, group, changed)
            item = item or self._queue.get()
        if self._connection is not None:
            try:
                self._connection.close()
            except sqlite3.Error:
                pass  # the log file remains; the next start reads it

    def _open_connection(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = self._watched(self._reopen())
        return self._connection

    def _watched(self, connection: sqlite3.Connection) -> sqlite3.Connection:
        if self._observer is not None:
            self._observer.watch(connection)
        return connection

    def _next_group(self, first: _Queued) -> tuple[list[_Queued], _Queued | None]:
        """Returns the changes to write with `first`, and a dequeued change that must wait for the next group."""
        group, size = [first], first.size_bytes
        while (
            not first.outside_transaction
            and len(group) < MAX_GROUP
            and size < MAX_GROUP_BYTES
            and not self._queue.empty()
        ):
            item = self._queue.get()
            if item is None:
                self._queue.put(None)  # always the last item
                break
            if item.outside_transaction:
                return group, item
            group.append(item)
            size += item.size_bytes
        return group, None

    def _write_group(self, group: list[_Queued]) -> None:
        group = self._refuse_if_full(group)
        failure = self._transaction(group) if group else None
        if failure is not None and self._released_reserve(failure):
            group = self._refuse_if_full(group)
            failure = self._transaction(group) if group else None
        if failure is None:
            return
        if len(group) == 1:
            group[0].error = failure
            return
        for queued in group:
            queued.result, queued.error = None, None
            queued.error = self._transaction([queued]) or queued.error

    def _refuse_if_full(self, group: list[_Queued]) -> list[_Queued]:
        """While the reserve is released, refuses the changes that need free space; returns the others."""
        if self._reserve is None or self._reserve.is_allocated:
            return group
        if not any(queued.needs_free_space for queued in group):
            return group
        now = time.monotonic()
        if now - self._allocated_at >= ALLOCATE_AGAIN_S:
            self._allocated_at = now
            if self._reserve.allocate():
                return group
        for queued in group:
            if queued.needs_free_space:
                queued.result, queued.error = None, StoreFull(FULL)
        return [queued for queued in group if not queued.needs_free_space]

    def _released_reserve(self, failure: Exception) -> bool:
        """Releases the reserve if `failure` means a full disk; returns whether that freed any space."""
        if self._reserve is None:
            return False
        if not (isinstance(failure, StoreFull) or self._reserve.disk_is_full):
            return False
        self._allocated_at = time.monotonic()
        if not self._reserve.release():
            return False
        if self._connection is not None:
            checkpoint_what_fits(self._connection)
        return True

    def _transaction(self, group: list[_Queued]) -> Exception | None:
        """Commits a group. Returns why the commit failed, or None; the error of a single change stays in its entry."""
        for queued in group:
            queued.result, queued.error = None, None
        try:
            connection = self._open_connection()
            connection.execute("BEGIN IMMEDIATE")
            for queued in group:
                connection.execute("SAVEPOINT one")
                try:
                    queued.result = run_despite_bad_utf8(
                        connection, queued.change, lambda: connection.execute("ROLLBACK TO one")
                    )
                except Exception as error:
                    if not connection.in_transaction or is_full(error):
                        raise  # SQLite has rolled back the whole transaction, or the disk is full
                    connection.execute("ROLLBACK TO one")
                    queued.error = _store_error(error)
                connection.execute("RELEASE one")
            connection.execute("COMMIT")
            if self._reserve is not None and not self._reserve.is_allocated:
                checkpoint_what_fits(connection)
        except Exception as error:
            self._roll_back(error)
            return _store_error(error)
        return None

    def _run_outside_transaction(self, queued: _Queued) -> None:
        try:
            connection = self._open_connection()
            queued.result = queued.change(connection)
        except Exception as error:
            self._roll_back(error)
            queued.error = _store_error(error)

    def _roll_back(self, error: Exception) -> None:
        """Rolls back, and drops the connection after an input/output error."""
        connection = self._connection
        if connection is None:
            return
        try:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            if getattr(error, "sqlite_errorcode", 0) & 0xFF != sqlite3.SQLITE_IOERR:
                return
        except sqlite3.Error:
            pass  # the connection is broken: the next change opens another
        self._connection = None
        try:
            connection.close()
        except sqlite3.Error:
            pass  # nothing on this connection was committed, so nothing is lost

    # On the event loop:

    def _resolve(self, group: list[_Queued], changed: set[str] | None) -> None:
        if self._observer is not None:
            self._observer.drop(changed)
        for queued in group:
            self.capacity.release(queued.size_bytes)
            if queued.future.done():
                continue
            if queued.error is not None:
                queued.future.set_exception(queued.error)
            else:
                queued.future.set_result(queued.result)


def is_full(error: Exception) -> bool:
    """True where SQLite reports a full disk."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL


def _store_error(error: Exception) -> Exception:
    """Translates errors of SQLite and the system; leaves a bug in a change as it is."""
    return translated(error) if isinstance(error, sqlite3.Error | OSError | StoreError) else error
