"""Maintenance of the store: removal of old jobs, free space, the observed time, and counts for metrics."""

import asyncio
import sqlite3
from functools import partial
from pathlib import Path

from jobd.clock import Clock
from jobd.store.sqlite import database
from jobd.store.sqlite.reserve import Reserve
from jobd.store.stores.connections import Connections
from jobd.store.tables import maintenance, observed_time
from jobd.store.tables.rows import Counts

CHECKPOINT_STEPS = 16
"""Vacuum steps between two checkpoints: 16 MiB of the file."""


class Maintenance(Connections):
    """Removes jobs and keeps the file small."""

    _path: Path
    _clock: Clock
    _reserve: Reserve | None

    async def purge(self, uid: str) -> bool:
        """Removes a job with its events, logs, deliveries and callback. False where the job does not exist.

        Raises:
            DeliveriesPending: the job has pending deliveries.
        """
        if not await self._writer.write(partial(maintenance.mark_for_removal, uid=uid)):
            return False
        await self.remove_hidden()
        return True

    async def expire(self, age_s: float, limit: int) -> list[str]:
        """Hides up to `limit` jobs that ended at least `age_s` seconds of observed time ago, are cleaned up and have no pending
        delivery, for `remove_hidden`; returns their uids.
        """
        return await self._writer.write(
            partial(maintenance.expire, observed_ms=self._age_to_ms(age_s), limit=limit)
        )

    async def remove_hidden(self) -> int:
        """Removes the hidden jobs that are cleaned up and have no pending delivery, in transactions of a few MiB; returns their number.

        Safe to repeat, also after a crash in between: rows that are not removed yet stay marked.
        """
        count, more = 0, True
        while more:
            removed, more = await self._writer.write(
                partial(maintenance.remove_hidden, max_bytes=maintenance.SLICE_BYTES)
            )
            count += removed
        return count

    async def vacuum(self) -> None:
        """Returns the free pages of the file, and the whole log file, to the file system in short steps. Safe to repeat."""
        steps = 0
        while await self._writer.write(maintenance.vacuum_step):
            steps += 1
            if steps % CHECKPOINT_STEPS == 0:
                await self._writer.write(database.checkpoint, outside_transaction=True)
        await self._writer.write(database.checkpoint, outside_transaction=True)

    async def save_observed_time(self) -> None:
        """Stores the observed time."""
        await self._writer.write(partial(observed_time.save, ms=self._observed.now_ms(), clock=self._clock))

    async def has_free_space(self) -> bool:
        """Returns False while the disk is full and the reserve is released; allocates the reserve again once the disk has space."""
        if self._reserve is None or self._reserve.is_allocated:
            return True
        return await asyncio.to_thread(self._reserve.allocate)

    async def counts(self) -> Counts:
        """Returns the numbers of jobs and deliveries and the sizes of the files."""
        wal = self._path.with_name(self._path.name + "-wal")

        def read(connection: sqlite3.Connection) -> Counts:
            jobs, live, pending, parked, oldest_ms = maintenance.counts(connection)
            return Counts(
                jobs=jobs,
                live_jobs=live,
                pending=pending,
                parked=parked,
                oldest_pending_s=0.0
                if oldest_ms is None
                else max(0, self._observed.now_ms() - oldest_ms) / 1000,
                size_bytes=maintenance.size_bytes(connection),
                wal_bytes=wal.stat().st_size if wal.exists() else 0,
            )

        return await self._reader.read(read)
