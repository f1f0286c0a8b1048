"""Maintenance in SQL: removal of old jobs, free pages, and counts. Pure functions of a connection."""
# ruff: noqa: S608 - only column lists and clauses of this file are put together; every value is a parameter

import sqlite3

from jobd.store.errors import DeliveriesPending
from jobd.store.tables.jobs import jobs, sets

SLICE_BYTES = 4 << 20
"""The approximate size of the logs and events that one transaction removes."""
VACUUM_PAGES = 256
"""The pages that one step of the vacuum frees: more would delay the next commit."""
SPARE_PAGES = 256
"""The free pages that remain in the file for the next writes: 1 MiB."""
_PENDING = "EXISTS (SELECT 1 FROM deliveries d WHERE d.job = jobs.n AND d.state = 'pending')"


def mark_for_removal(connection: sqlite3.Connection, uid: str) -> bool:
    """Marks a job as ended and hidden, for `remove_hidden`. False where the job does not exist.

    Raises:
        DeliveriesPending: the job has pending deliveries.
    """
    row = connection.execute(f"SELECT n, {_PENDING} FROM jobs WHERE uid = ?", (uid,)).fetchone()
    if row is None:
        return False
    if row[1]:
        raise DeliveriesPending(f"job {uid!r} has pending deliveries")
    jobs.discard(connection, row[0])
    return True


def expire(connection: sqlite3.Connection, observed_ms: int, limit: int) -> list[str]:
    """Hides up to `limit` jobs that are cleaned up, ended at an observed time of `observed_ms` or earlier, and have no pending delivery,
    in the order of their ends, for `remove_hidden`. Returns their uids.
    """
    rows = connection.execute(
        f"SELECT n, uid FROM jobs INDEXED BY jobs_ended WHERE live = 0 AND hidden = 0 AND ended_seen <= ? AND NOT {_PENDING}"
        " ORDER BY ended_seen LIMIT ?",
        (observed_ms, limit),
    ).fetchall()
    jobs.hide_rows(connection, [number for number, _ in rows])
    return [uid for _, uid in rows]


def remove_hidden(connection: sqlite3.Connection, max_bytes: int) -> tuple[int, bool]:
    """Removes about `max_bytes` of the hidden jobs that are cleaned up and have no pending delivery: first a job's logs and events,
    then its row. Returns the number of removed rows, and whether there is more to remove.

    An interrupted removal continues with the next call: a row remains, hidden, until its logs and events are removed.
    """
    removed, after = 0, 0
    while max_bytes > 0:
        # Hidden jobs with pending deliveries stay: each of them is passed once, not once for each removed job.
        row = connection.execute(
            "SELECT n FROM jobs INDEXED BY jobs_hidden"
            f" WHERE hidden = 1 AND live = 0 AND n > ? AND NOT {_PENDING} ORDER BY n LIMIT 1",
            (after,),
        ).fetchone()
        if row is None:
            return removed, False
        number: int = row[0]
        max_bytes -= _remove_part(connection, number, _LOGS, max_bytes)
        if max_bytes > 0:
            max_bytes -= _remove_part(connection, number, _EVENTS, max_bytes)
        if max_bytes > 0:
            spec = connection.execute("SELECT length(spec) FROM specs WHERE job = ?", (number,)).fetchone()
            set_name = connection.execute(
                "DELETE FROM jobs WHERE n = ? RETURNING set_name", (number,)
            ).fetchone()[0]
            if set_name is not None:
                sets.remove_empty(connection, set_name)
            max_bytes -= ROW_BYTES + (spec[0] if spec else 0)
            removed, after = removed + 1, number
    return removed, True


ROW_BYTES = 4096
"""The cost of the removal of a row, beside its content."""
_LOGS = ("log_chunks", "last_seq", "size_bytes")
_EVENTS = ("events", "seq", "length(body)")


def _remove_part(
    connection: sqlite3.Connection, number: int, part: tuple[str, str, str], max_bytes: int
) -> int:
    """Removes a job's oldest rows from `part` (table, column that orders its rows, size of a row) until `max_bytes` are reached.
    Returns the removed bytes.
    """
    table, order, size = part
    last, removed = None, 0
    for key, length in connection.execute(
        f"SELECT {order}, {size} FROM {table} WHERE job = ? ORDER BY {order}", (number,)
    ):
        last, removed = key, removed + length + ROW_BYTES // 8
        if removed >= max_bytes:
            break
    if last is not None:
        connection.execute(f"DELETE FROM {table} WHERE job = ? AND {order} <= ?", (number, last))
    return removed


def vacuum_step(connection: sqlite3.Connection) -> bool:
    """Frees some pages, which the next checkpoint returns to the file system. Returns whether there are more.

    Source: SQLite documentation, PRAGMA incremental_vacuum.
    """
    free: int = connection.execute("PRAGMA freelist_count").fetchone()[0]
    # The pragma frees one page for each step, and Python's sqlite3 makes one step of a statement without columns.
    for _ in range(min(free - SPARE_PAGES, VACUUM_PAGES)):
        connection.execute("PRAGMA incremental_vacuum(1)")
    left: int = connection.execute("PRAGMA freelist_count").fetchone()[0]
    return SPARE_PAGES < left < free


def counts(connection: sqlite3.Connection) -> tuple[int, int, int, int, int | None]:
    """Returns the numbers of jobs, live jobs, pending and parked deliveries, and the observed time at which the oldest pending delivery
    was enqueued.
    """
    rows, live, pending, parked = connection.execute(
        "SELECT (SELECT count(*) FROM jobs), (SELECT count(*) FROM jobs WHERE live = 1),"
        " (SELECT count(*) FROM deliveries WHERE state = 'pending'),"
        " (SELECT count(*) FROM deliveries WHERE state = 'parked')"
    ).fetchone()
    oldest = connection.execute(
        "SELECT created_seen FROM deliveries WHERE id = (SELECT min(id) FROM deliveries WHERE state = 'pending')"
    ).fetchone()
    return rows, live, pending, parked, oldest[0] if oldest else None


def size_bytes(connection: sqlite3.Connection) -> int:
    """Returns the size of the database without its free pages."""
    pages: int = connection.execute("PRAGMA page_count").fetchone()[0]
    free: int = connection.execute("PRAGMA freelist_count").fetchone()[0]
    page: int = connection.execute("PRAGMA page_size").fetchone()[0]
    return (pages - free) * page
