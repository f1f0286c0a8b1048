"""The store: jobs, events, the outbox and logs in one SQLite file. A write that has returned is on the disk.

Owns opening and closing. `stores/` has the operations, one module for each part of jobd that uses them; `tables/` has the SQL. The
store knows rows and bytes; their meaning is the callers' knowledge.

Every method may raise `StoreError`; reads are safe to repeat.
"""

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Self

from jobd.clock import Clock, SystemClock
from jobd.store.errors import StoreError, StoreFailed, StoreFull
from jobd.store.sqlite import database, wal_check
from jobd.store.sqlite.reader import Reader
from jobd.store.sqlite.reserve import Reserve
from jobd.store.sqlite.writer import Writer
from jobd.store.stores.end_store import EndStore
from jobd.store.stores.ended_views import EndedViews
from jobd.store.stores.event_store import EventStore
from jobd.store.stores.group_store import GroupStore
from jobd.store.stores.job_store import JobStore
from jobd.store.stores.log_store import LogStore
from jobd.store.stores.maintenance import Maintenance
from jobd.store.stores.outbox_store import OutboxStore
from jobd.store.stores.set_store import SetStore
from jobd.store.tables import observed_time
from jobd.store.tables.jobs.damaged_rows import DamagedRows
from jobd.store.tables.observed_time import ObservedTime


class Store(JobStore, EndStore, SetStore, GroupStore, EventStore, LogStore, OutboxStore, Maintenance):
    """One open database. Made by `Store.open`; belongs to the event loop that opened it."""

    def __init__(
        self,
        path: Path,
        writer: Writer,
        reader: Reader,
        reserve: Reserve | None,
        clock: Clock,
        observed: ObservedTime,
        ended_views: EndedViews,
    ) -> None:
        super().__init__(writer, reader, observed)
        self.ended_views = ended_views
        self.warning: str | None = None
        """What the operator must know about damage from the last run; None where there is none."""
        self._path = path
        self._reserve = reserve
        self._clock = clock
        self._damaged = DamagedRows()

    @classmethod
    async def open(
        cls,
        path: Path,
        max_bytes: int | None = None,
        reserve: Reserve | None = None,
        clock: Clock | None = None,
    ) -> Self:
        """Opens or creates the database at `path`; checks and migrates it. `max_bytes` limits the size of the file. The store releases
        `reserve` when the disk is full, also while it opens.

        The caller must hold a `StateLock` on the directory: two daemons on one file would run every job twice.

        Raises:
            StoreCorrupt: the file is damaged, of another program or of a newer version; the file is kept.
            StoreFailed: the disk or the database failed.
        """
        # A checkpoint may need as much space in the database as the log file has: the reserve must cover that.
        wal_bytes = min(database.WAL_BYTES, reserve.size_bytes // 2) if reserve else database.WAL_BYTES
        prepare = partial(database.prepare, path, max_bytes, wal_bytes)
        try:
            warning = await asyncio.to_thread(wal_check.check_wal, path, datetime.now(UTC))
        except OSError as error:
            raise StoreFailed(f"{path}: its write-ahead log cannot be read: {error.strerror}") from error
        connection = await asyncio.to_thread(_prepared, prepare, reserve)
        clock = clock or SystemClock()
        ended_views = EndedViews()
        reopen = partial(database.open_writer, path, max_bytes, wal_bytes)
        writer = Writer(connection, reopen, reserve, ended_views)
        try:
            reader = await asyncio.to_thread(Reader, path)
            observed = await reader.read(partial(observed_time.load, clock=clock))
        except BaseException:
            await writer.close()
            raise
        store = cls(path, writer, reader, reserve, clock, observed, ended_views)
        store.warning = warning
        return store

    async def close(self) -> None:
        """Writes the queued changes and closes the file. Safe to repeat."""
        with contextlib.suppress(StoreError):
            await self.save_observed_time()
        # The writer last: its close checkpoints the log file, and then the one database file is a complete backup.
        await self._reader.close()
        await self._writer.close()


def _prepared(prepare: Callable[[], sqlite3.Connection], reserve: Reserve | None) -> sqlite3.Connection:
    if reserve is not None:
        reserve.allocate()
    try:
        return prepare()
    except StoreFailed as error:
        # SQLite reports an input/output error if the disk has no space for the index of the log file.
        full = isinstance(error, StoreFull) or (reserve is not None and reserve.disk_is_full)
        if reserve is None or not full or not reserve.release():
            raise
    return prepare()
