"""The store: what is acknowledged is on the disk. Jobs, events, the outbox and logs in one SQLite file.

Owns who may do what: writes go to the one writer thread, reads to the reader threads. Knows rows and bytes; what
they mean is the callers' knowledge. The SQL is in `jobs.py`, `outbox.py` and `housekeeping.py`.

Every method may raise `StoreError`; reads repeat safely, and so does a commit with the same event ids.
"""

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Self

from jobd.clock import Clock, SystemClock
from jobd.store.errors import StoreError, StoreFailed, StoreFull
from jobd.store.sqlite import database, recovery
from jobd.store.sqlite.damaged import DamagedRows
from jobd.store.sqlite.reader import Reader
from jobd.store.sqlite.reserve import Reserve
from jobd.store.sqlite.writer import Writer
from jobd.store.tables import events, housekeeping, jobs, listing, logs, outbox, seen, settling, transitions
from jobd.store.tables.rows import (
    Counts,
    Delivery,
    DestinationDue,
    Due,
    EndedPage,
    JobPage,
    JobRow,
    LogChunk,
    LogStats,
    Settled,
    Settlement,
    StoredEvent,
    Transition,
)
from jobd.store.tables.seen import SeenTime

PAGE_BYTES = 4 << 20
FIRST = (-1, 0)
"""Where a page of ended jobs begins that is to have the first of them."""
CHECKPOINT_STEPS = 16
"""Steps of giving room back between two checkpoints: 16 MiB of the file."""
SMALL_BYTES = 64 << 10
"""Events of one change up to this size may still be written when the disk is full."""


class Store:
    """One open database. Made by `Store.open`, belongs to the event loop that opened it."""

    def __init__(
        self,
        path: Path,
        writer: Writer,
        reader: Reader,
        reserve: Reserve | None,
        clock: Clock,
        time_seen: SeenTime,
    ) -> None:
        self.warning: str | None = None
        """What the operator must know of how the last run ended; None where all is well."""
        self._path = path
        self._reserve = reserve
        self._clock = clock
        self._seen = time_seen
        self._writer = writer
        self._reader = reader
        self._damaged = DamagedRows()

    @classmethod
    async def open(
        cls,
        path: Path,
        max_bytes: int | None = None,
        reserve: Reserve | None = None,
        clock: Clock | None = None,
    ) -> Self:
        """Opens or makes the database at `path`; checks and migrates it. `max_bytes` bounds the file. `reserve` is given up when
        the disk is full, also for the opening itself.

        Hold a `StateLock` on its directory first: two daemons on one file would do everything twice.

        Raises:
            StoreCorrupt: damaged, foreign or of a newer version; the file is kept.
            StoreFailed: the disk refused.
        """
        # What is in the log file may need as much room again in the database: the reserve must hold that.
        wal_bytes = min(database.WAL_BYTES, reserve.size_bytes // 2) if reserve else database.WAL_BYTES
        prepare = partial(database.prepare, path, max_bytes, wal_bytes)
        try:
            warning = await asyncio.to_thread(recovery.before_open, path, datetime.now(UTC))
        except OSError as error:
            raise StoreFailed(f"{path}: its write-ahead log cannot be read: {error.strerror}") from error
        connection = await asyncio.to_thread(_prepared, prepare, reserve)
        clock = clock or SystemClock()
        writer = Writer(connection, partial(database.open_writer, path, max_bytes, wal_bytes), reserve)
        try:
            reader = await asyncio.to_thread(Reader, path)
            time_seen = await reader.read(partial(seen.load, clock=clock))
        except BaseException:
            await writer.close()
            raise
        store = cls(path, writer, reader, reserve, clock, time_seen)
        store.warning = warning
        return store

    async def close(self) -> None:
        """Writes what waits and closes the file. Safe to repeat."""
        with contextlib.suppress(StoreError):
            await self.keep_seen()
        # The writer last: only it can fold the log back, and then the one file holds all there is to back up.
        await self._reader.close()
        await self._writer.close()

    async def commit(self, transition: Transition) -> list[StoredEvent]:
        """Writes the job's row, events, deliveries and log in one transaction; returns the events once durable.

        Raises:
            IdTaken: `claim_id`, and the id belongs to another job.
            NoSuchJob: not `claim_id`, and the row is not there.
            StaleJob: not `claim_id`, and the row was changed since it was read.
            StoreFull: no room.
        """
        events_bytes = sum(len(event.body) for event in transition.events)
        return await self._writer.write(
            partial(transitions.commit, transition=transition, seen_ms=self._seen.now_ms()),
            size_bytes=transition.size_bytes,
            needs_room=transition.claim_id or bool(transition.logs) or events_bytes > SMALL_BYTES,
        )

    async def get_by_id(self, job_id: str) -> JobRow | None:
        """Returns the newest job with this id that is not hidden."""
        return await self._reader.read(partial(jobs.by_id, job_id=job_id))

    async def get_by_uid(self, uid: str) -> JobRow | None:
        """Returns the job with this uid, hidden or not."""
        return await self._reader.read(partial(jobs.by_uid, uid=uid))

    async def live_rows(self) -> list[JobRow]:
        """Returns all jobs that have not ended, or are to be gone: where a start goes on from. Oldest first, without their
        specs, which may be long.
        """
        found: list[JobRow] = []
        while page := await self.live_page(found[-1].number if found else 0):
            found += page
        return found

    async def live_page(self, after: int) -> list[JobRow]:
        """Returns some of `live_rows`, with numbers above `after`: at least one where there is any, more up to 4 MiB."""
        return await self._reader.read(partial(jobs.live, after=after, max_bytes=PAGE_BYTES))

    async def ended_live_rows(self, age_s: float, limit: int, after: tuple[int, int] = FIRST) -> EndedPage:
        """Returns jobs that ended `age_s` seconds ago or earlier, as far as jobd has seen time pass, and have not been cleaned up, those
        that ended first, first; fewer than `limit` where they are long (4 MiB a page).
        """
        return await self._reader.read(
            partial(
                jobs.ended_live,
                seen_ms=self._ago_ms(age_s),
                after=after,
                limit=limit,
                max_bytes=PAGE_BYTES,
            )
        )

    async def is_damaged(self, uid: str, job_id: str) -> bool:
        """True where a row that is not deleted has this uid or this id and is damaged."""
        return await self._reader.read(partial(jobs.damaged, uid=uid, job_id=job_id))

    async def discard(self, number: int) -> None:
        """Deletes a damaged job, by its row's number: it is gone when its events are out and `remove_hidden` has come by."""
        await self._writer.write(partial(jobs.discard, number=number))

    async def keep_seen(self) -> None:
        """Stores how much time was seen."""
        await self._writer.write(partial(seen.keep, ms=self._seen.now_ms(), clock=self._clock))

    async def hide(self, job_id: str) -> None:
        """Hides the jobs of this id that are over."""
        await self._writer.write(partial(jobs.hide, job_id=job_id))

    async def list_jobs(
        self,
        *,
        statuses: frozenset[str] | None = None,
        labels: Mapping[str, str] | None = None,
        owner: str | None = None,
        since: datetime | None = None,
        prefix: str = "",
        cursor: str | None = None,
        limit: int = 100,
    ) -> JobPage:
        """Returns one page of jobs that are not hidden, newest first; fewer than `limit` where their specs are
        long (4 MiB a page). `labels` must all match; `prefix` is of the id.

        Raises:
            ValueError: the cursor is not one that a page gave.
        """
        page = await self._reader.read(
            partial(
                listing.page,
                statuses=statuses,
                labels=labels or {},
                owner=owner,
                since=since,
                prefix=prefix,
                cursor=cursor,
                limit=limit,
                max_bytes=PAGE_BYTES,
                known_damaged=self._damaged.known,
            )
        )
        self._damaged.add(job.number for job in page.jobs if job.damage)
        return page

    async def look_for_damage(self) -> bool:
        """Looks at the next `listing.LOOKED_AT` rows, so that lists know of damaged ones; False where that was the last of them,
        and the next call begins anew.
        """
        after = self._damaged.looked_at
        found, last = await self._reader.read(
            partial(listing.damaged_rows, after=after, limit=listing.LOOKED_AT)
        )
        self._damaged.looked(found, last)
        return last is not None

    async def list_events(
        self, after_seq: int, job_uid: str | None, limit: int, max_bytes: int = PAGE_BYTES
    ) -> list[StoredEvent]:
        """Returns up to `limit` events after `after_seq`, oldest first; fewer where they are long (`max_bytes` a page)."""
        return await self._reader.read(
            partial(events.after, after_seq=after_seq, uid=job_uid, limit=limit, max_bytes=max_bytes)
        )

    async def has_job(self, uid: str) -> bool:
        """Returns whether the job with this uid is there, hidden or not; False once it is purged."""
        return await self._reader.read(partial(jobs.is_there, uid=uid))

    async def last_seq(self) -> int:
        """Returns the highest event number given so far: where a reader that wants only news begins."""
        return await self._reader.read(events.last_seq)

    async def log_chunks(self, uid: str, after_seq: int, max_bytes: int) -> list[LogChunk]:
        """Returns chunks with lines after `after_seq`, in order; the first may hold earlier lines too.

        At least one where there is any, more up to `max_bytes`.
        """
        return await self._reader.read(
            partial(logs.chunks, uid=uid, after_seq=after_seq, max_bytes=max_bytes)
        )

    async def log_stats(self, uid: str) -> LogStats:
        """Returns how much log a job has."""
        return await self._reader.read(partial(logs.stats, uid=uid))

    async def deliveries(self, uid: str, after: int, limit: int) -> list[Delivery]:
        """Returns the deliveries of a job with an id above `after`, oldest first."""
        return await self._reader.read(partial(outbox.deliveries, uid=uid, after=after, limit=limit))

    async def delivery(self, delivery_id: int) -> Delivery | None:
        """Returns one delivery."""
        return await self._reader.read(partial(outbox.delivery, delivery_id=delivery_id))

    async def destinations(self, after: str, limit: int) -> list[DestinationDue]:
        """Returns lanes with pending deliveries, by name, after `after`: for the dispatcher."""
        return await self._reader.read(partial(outbox.destinations, after=after, limit=limit))

    async def due(self, destination: str, limit: int, ahead: int = 0) -> list[Due]:
        """Returns the first pending delivery of each job of a lane, by the time at which it is due, later ones too; each with
        up to `ahead` of those behind it.
        """
        return await self._reader.read(partial(outbox.due, destination=destination, limit=limit, ahead=ahead))

    async def due_of(self, uids: Sequence[str], ahead: int = 0) -> list[Due]:
        """Returns the first pending delivery of each of these jobs, with up to `ahead` of those behind it."""
        return await self._reader.read(partial(outbox.due_of, uids=uids, ahead=ahead))

    async def delivery_body(self, delivery_id: int) -> bytes | None:
        """Returns the bytes to send, None where the delivery is gone."""
        return await self._reader.read(partial(outbox.body, delivery_id=delivery_id))

    async def delivery_run(self, delivery_id: int, limit: int, max_bytes: int) -> list[Due]:
        """Returns a pending delivery and those of its job behind it, in their order, each with its body: the first one, and
        more up to `limit` and `max_bytes`. Empty where it is not pending.
        """
        return await self._reader.read(
            partial(outbox.run, delivery_id=delivery_id, limit=limit, max_bytes=max_bytes)
        )

    async def settle(self, settlements: Sequence[Settlement]) -> list[Settled]:
        """Keeps what became of deliveries, in one commit; says of each what of the same job is due next."""
        return await self._writer.write(
            partial(settling.settle, settlements=settlements, seen_ms=self._seen.now_ms())
        )

    async def expired_jobs(self, destination: str, age_s: float, untried_s: float, limit: int) -> list[str]:
        """Returns the uids of jobs of a lane whose first pending delivery is older than `age_s`, as far as jobd has seen time pass,
        those due longest first, without those that were replayed less than `untried_s` ago and not tried yet.
        """
        return await self._reader.read(
            partial(
                outbox.expired_jobs,
                destination=destination,
                before_ms=self._ago_ms(age_s),
                untried_since_ms=self._ago_ms(untried_s),
                limit=limit,
            )
        )

    def _ago_ms(self, age_s: float) -> int:
        return self._seen.now_ms() - int(age_s * 1000)

    async def expire_deliveries(
        self,
        uids: Sequence[str],
        age_s: float,
        untried_s: float,
        at: datetime,
        error: str,
        limit: int,
    ) -> int:
        """Parks the first pending deliveries of these jobs that are older than `age_s`, at most `limit` in one commit; returns how
        many. Jobs that `expired_jobs` would leave out by now are left as they are. Repeats safely.
        """
        return await self._writer.write(
            partial(
                settling.expire,
                uids=uids,
                before_ms=self._ago_ms(age_s),
                untried_since_ms=self._ago_ms(untried_s),
                at=at,
                error=error,
                limit=limit,
            )
        )

    async def replay(self, delivery_id: int, at: datetime) -> Delivery | None:
        """Makes a delivery pending and due again, whatever became of it. None where there is none."""
        return await self._writer.write(
            partial(settling.replay, delivery_id=delivery_id, at=at, seen_ms=self._seen.now_ms())
        )

    async def replay_all(self, uid: str, at: datetime) -> int:
        """Makes all deliveries of a job that were given up pending again; returns how many that were."""
        return await self._writer.write(
            partial(settling.replay_all, uid=uid, at=at, seen_ms=self._seen.now_ms())
        )

    async def purge(self, uid: str) -> bool:
        """Removes a job with its events, logs, deliveries and callback. False where there is none.

        Raises:
            DeliveriesPending: it has events that still have to go out.
        """
        if not await self._writer.write(partial(housekeeping.forget, uid=uid)):
            return False
        await self.remove_hidden()
        return True

    async def expire(self, age_s: float, limit: int) -> list[str]:
        """Hides up to `limit` jobs that ended `age_s` seconds ago or earlier, as far as jobd has seen time pass, need no work and have
        nothing pending, for `remove_hidden`; returns their uids.
        """
        return await self._writer.write(
            partial(housekeeping.expire, seen_ms=self._ago_ms(age_s), limit=limit)
        )

    async def remove_hidden(self) -> int:
        """Removes the hidden jobs that need no work and have nothing pending, in transactions of a few MiB; returns how many.

        Safe to repeat, also after a crash in its midst: what is not removed yet is still marked.
        """
        count, more = 0, True
        while more:
            gone, more = await self._writer.write(
                partial(housekeeping.remove_hidden, max_bytes=housekeeping.SLICE_BYTES)
            )
            count += gone
        return count

    async def give_back(self) -> None:
        """Gives free room of the file, and the whole log file, back to the file system, in short steps. Safe to repeat."""
        steps = 0
        while await self._writer.write(housekeeping.give_back):
            steps += 1
            if steps % CHECKPOINT_STEPS == 0:
                await self._writer.write(database.checkpoint, alone=True)
        await self._writer.write(database.checkpoint, alone=True)

    async def has_room(self) -> bool:
        """False while the reserve of a full disk is given up; it is taken again as soon as there is room."""
        return self._reserve is None or self._reserve.held or await asyncio.to_thread(self._reserve.restore)

    async def counts(self) -> Counts:
        """Returns how much there is, for metrics and the doctor."""
        found_jobs, live, pending, parked, oldest = await self._reader.read(housekeeping.counts)
        used = await self._reader.read(housekeeping.size_bytes)
        wal = self._path.with_name(self._path.name + "-wal")
        return Counts(
            jobs=found_jobs,
            live_jobs=live,
            pending=pending,
            parked=parked,
            oldest_pending_at=oldest,
            size_bytes=used,
            wal_bytes=wal.stat().st_size if wal.exists() else 0,
        )


def _prepared(prepare: Callable[[], sqlite3.Connection], reserve: Reserve | None) -> sqlite3.Connection:
    if reserve is not None:
        reserve.restore()
    try:
        return prepare()
    except StoreFailed as error:
        # SQLite calls it an input/output error where there is no room for the index of the log file.
        full = isinstance(error, StoreFull) or (reserve is not None and reserve.disk_is_full)
        if reserve is None or not full or not reserve.give_up():
            raise
    return prepare()
