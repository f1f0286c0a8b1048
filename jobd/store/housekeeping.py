"""Removing what is over, and counting what is there, in SQL. Pure functions of a connection."""
# ruff: noqa: S608 - only column lists and clauses of this file are put together; every value is a parameter

import sqlite3
from datetime import datetime

from jobd.store.errors import DeliveriesPending
from jobd.store.moments import from_micros, to_micros

VACUUM_PAGES = 2000
_PENDING = "EXISTS (SELECT 1 FROM deliveries d WHERE d.job = jobs.n AND d.state = 'pending')"


def purge(connection: sqlite3.Connection, uid: str) -> bool:
    """Removes a job with all that belongs to it. False where there is none.

    Raises:
        DeliveriesPending: it has events that still have to go out.
    """
    row = connection.execute(f"SELECT n, {_PENDING} FROM jobs WHERE uid = ?", (uid,)).fetchone()
    if row is None:
        return False
    if row[1]:
        raise DeliveriesPending(f"job {uid!r} has deliveries that still have to go out")
    connection.execute("DELETE FROM jobs WHERE n = ?", (row[0],))
    _give_back(connection)
    return True


def purge_ended_before(connection: sqlite3.Connection, moment: datetime, limit: int) -> list[str]:
    """Removes up to `limit` jobs that need no more work, ended before `moment` and have no pending delivery, those that
    ended first, first. Returns their uids.
    """
    rows = connection.execute(
        "SELECT n, uid FROM jobs INDEXED BY jobs_ended"
        f" WHERE live = 0 AND ifnull(finished_at, created_at) < ? AND NOT {_PENDING}"
        " ORDER BY ifnull(finished_at, created_at) LIMIT ?",
        (to_micros(moment), limit),
    ).fetchall()
    return _remove(connection, rows)


def purge_hidden(connection: sqlite3.Connection, limit: int) -> list[str]:
    """Removes up to `limit` hidden jobs that need no more work and have no pending delivery. Returns their uids."""
    rows = connection.execute(
        f"SELECT n, uid FROM jobs INDEXED BY jobs_hidden WHERE hidden = 1 AND live = 0 AND NOT {_PENDING} LIMIT ?",
        (limit,),
    ).fetchall()
    return _remove(connection, rows)


def _remove(connection: sqlite3.Connection, rows: list[tuple[int, str]]) -> list[str]:
    connection.executemany("DELETE FROM jobs WHERE n = ?", [(number,) for number, _ in rows])
    if rows:
        _give_back(connection)
    return [uid for _, uid in rows]


def _give_back(connection: sqlite3.Connection) -> None:
    # A part of the free pages each time, so that no commit waits long. The pragma frees a page a step, and
    # sqlite3 takes one step of a statement without columns.
    free: int = connection.execute("PRAGMA freelist_count").fetchone()[0]
    for _ in range(min(free, VACUUM_PAGES)):
        connection.execute("PRAGMA incremental_vacuum(1)")


def counts(connection: sqlite3.Connection) -> tuple[int, int, int, int, datetime | None]:
    """Returns jobs, live jobs, pending and parked deliveries, and when the oldest pending one was made."""
    jobs, live, pending, parked = connection.execute(
        "SELECT (SELECT count(*) FROM jobs), (SELECT count(*) FROM jobs WHERE live = 1),"
        " (SELECT count(*) FROM deliveries WHERE state = 'pending'),"
        " (SELECT count(*) FROM deliveries WHERE state = 'parked')"
    ).fetchone()
    oldest = connection.execute(
        "SELECT created_at FROM events WHERE seq = (SELECT min(id) FROM deliveries WHERE state = 'pending')"
    ).fetchone()
    return jobs, live, pending, parked, from_micros(oldest[0]) if oldest else None


def size_bytes(connection: sqlite3.Connection) -> int:
    """Returns the size of the database, less its free pages."""
    pages: int = connection.execute("PRAGMA page_count").fetchone()[0]
    free: int = connection.execute("PRAGMA freelist_count").fetchone()[0]
    page: int = connection.execute("PRAGMA page_size").fetchone()[0]
    return (pages - free) * page
