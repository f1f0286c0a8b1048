"""Removing what is over, and counting what is there, in SQL. Pure functions of a connection."""
# ruff: noqa: S608 - only column lists and clauses of this file are put together; every value is a parameter

import sqlite3
from datetime import datetime

from jobd.store.errors import DeliveriesPending
from jobd.store.sqlite.timestamps import from_micros
from jobd.store.tables import jobs

SLICE_BYTES = 4 << 20
"""Logs and events that one transaction removes, about."""
VACUUM_PAGES = 256
"""Free pages that one transaction gives back, so that no commit behind it waits long."""
SPARE_PAGES = 256
"""Free pages that stay in the file for what is written next: 1 MiB."""
_PENDING = "EXISTS (SELECT 1 FROM deliveries d WHERE d.job = jobs.n AND d.state = 'pending')"


def forget(connection: sqlite3.Connection, uid: str) -> bool:
    """Marks a job as over and hidden: `remove_hidden` takes all that belongs to it. False where there is none.

    Raises:
        DeliveriesPending: it has events that still have to go out.
    """
    row = connection.execute(f"SELECT n, {_PENDING} FROM jobs WHERE uid = ?", (uid,)).fetchone()
    if row is None:
        return False
    if row[1]:
        raise DeliveriesPending(f"job {uid!r} has deliveries that still have to go out")
    jobs.discard(connection, row[0])
    return True


def expire(connection: sqlite3.Connection, seen_ms: int, limit: int) -> list[str]:
    """Hides up to `limit` jobs that need no more work, ended when less than `seen_ms` was seen, and have no pending delivery, those
    that ended first, first: `remove_hidden` takes them. Returns their uids.
    """
    rows = connection.execute(
        f"SELECT n, uid FROM jobs INDEXED BY jobs_ended WHERE live = 0 AND hidden = 0 AND ended_seen <= ? AND NOT {_PENDING}"
        " ORDER BY ended_seen LIMIT ?",
        (seen_ms, limit),
    ).fetchall()
    jobs.hide_rows(connection, [number for number, _ in rows])
    return [uid for _, uid in rows]


def remove_hidden(connection: sqlite3.Connection, max_bytes: int) -> tuple[int, bool]:
    """Removes hidden jobs that need no more work and have no pending delivery: about `max_bytes` of their logs and events, and
    the rows of those that have none left. Returns how many jobs are gone, and whether there is more to remove.

    What is cut short goes on with the next call, since a row stays, hidden, until all that belongs to it is gone.
    """
    gone = 0
    while max_bytes > 0:
        row = connection.execute(
            f"SELECT n FROM jobs INDEXED BY jobs_hidden WHERE hidden = 1 AND live = 0 AND NOT {_PENDING} LIMIT 1"
        ).fetchone()
        if row is None:
            return gone, False
        number: int = row[0]
        max_bytes -= _remove_part(connection, number, _LOGS, max_bytes)
        if max_bytes > 0:
            max_bytes -= _remove_part(connection, number, _EVENTS, max_bytes)
        if max_bytes > 0:
            spec = connection.execute("SELECT length(spec) FROM specs WHERE job = ?", (number,)).fetchone()
            connection.execute("DELETE FROM jobs WHERE n = ?", (number,))
            max_bytes -= ROW_BYTES + (spec[0] if spec else 0)
            gone += 1
    return gone, True


ROW_BYTES = 4096
"""What the removal of a row is counted as, beside what it holds."""
_LOGS = ("log_chunks", "last_seq", "size_bytes")
_EVENTS = ("events", "seq", "length(body)")


def _remove_part(
    connection: sqlite3.Connection, number: int, part: tuple[str, str, str], max_bytes: int
) -> int:
    """Removes rows of a job from `part` (its table, the column of its order, a row's size), at least `max_bytes` where there is so
    much. Returns how much that was.
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


def give_back(connection: sqlite3.Connection) -> bool:
    """Gives some of the free pages back to the file system, with the next checkpoint. Returns whether there are more to give."""
    free: int = connection.execute("PRAGMA freelist_count").fetchone()[0]
    # The pragma frees a page a step, and sqlite3 takes one step of a statement without columns.
    for _ in range(min(free - SPARE_PAGES, VACUUM_PAGES)):
        connection.execute("PRAGMA incremental_vacuum(1)")
    left: int = connection.execute("PRAGMA freelist_count").fetchone()[0]
    return SPARE_PAGES < left < free


def counts(connection: sqlite3.Connection) -> tuple[int, int, int, int, datetime | None]:
    """Returns jobs, live jobs, pending and parked deliveries, and when the oldest pending one was made."""
    rows, live, pending, parked = connection.execute(
        "SELECT (SELECT count(*) FROM jobs), (SELECT count(*) FROM jobs WHERE live = 1),"
        " (SELECT count(*) FROM deliveries WHERE state = 'pending'),"
        " (SELECT count(*) FROM deliveries WHERE state = 'parked')"
    ).fetchone()
    oldest = connection.execute(
        "SELECT created_at FROM events WHERE seq = (SELECT min(id) FROM deliveries WHERE state = 'pending')"
    ).fetchone()
    return rows, live, pending, parked, from_micros(oldest[0]) if oldest else None


def size_bytes(connection: sqlite3.Connection) -> int:
    """Returns the size of the database, less its free pages."""
    pages: int = connection.execute("PRAGMA page_count").fetchone()[0]
    free: int = connection.execute("PRAGMA freelist_count").fetchone()[0]
    page: int = connection.execute("PRAGMA page_size").fetchone()[0]
    return (pages - free) * page
