"""Sets of jobs in SQL: their names, and the numbers of their jobs. Pure functions of a connection.

The numbers come from the index `jobs_by_set` alone, whatever other jobs there are.
"""

import json
import sqlite3
from collections.abc import Collection

from jobd.store.sqlite.timestamps import from_micros, optional_time
from jobd.store.tables.rows import SetPage, SetRow


def add(connection: sqlite3.Connection, name: str) -> None:
    """Stores the name of a set, if it is new."""
    connection.execute("INSERT INTO sets (name) VALUES (?) ON CONFLICT (name) DO NOTHING", (name,))


def remove_empty(connection: sqlite3.Connection, name: str) -> None:
    """Removes the name of a set without jobs."""
    connection.execute(
        "DELETE FROM sets WHERE name = ? AND NOT EXISTS (SELECT 1 FROM jobs WHERE set_name = ?)", (name, name)
    )


def load(connection: sqlite3.Connection, name: str, damaged: Collection[int] = ()) -> SetRow | None:
    """Returns the numbers of a set's jobs that are not hidden, None if there are none. `damaged`: numbers of rows whose status is not known."""
    total, waiting, completed, failed, cancelled, unfinished, created, finished = connection.execute(
        "SELECT count(*), sum(waiting), sum(status = 'completed'), sum(status = 'failed'), sum(status = 'cancelled'),"
        " sum(finished_at IS NULL), min(created_at), max(finished_at)"
        " FROM jobs INDEXED BY jobs_by_set WHERE set_name = ? AND hidden = 0"
        " AND n NOT IN (SELECT value FROM json_each(?))",
        (name, json.dumps(list(damaged))),
    ).fetchone()
    unreadable = 0
    if damaged:
        unreadable, created_too = connection.execute(
            "SELECT count(*), min(created_at) FROM jobs WHERE n IN (SELECT value FROM json_each(?))"
            " AND set_name = ? AND hidden = 0",
            (json.dumps(list(damaged)), name),
        ).fetchone()
        created = min((at for at in (created, created_too) if at is not None), default=None)
    if created is None:
        return None
    running = (unfinished or 0) - (waiting or 0)
    return SetRow(
        name=name,
        total=total + unreadable,
        waiting=waiting or 0,
        running=running,
        completed=completed or 0,
        failed=failed or 0,
        cancelled=cancelled or 0,
        unreadable=unreadable,
        created_at=from_micros(created),
        finished_at=None if unfinished else optional_time(finished),
    )


def page(connection: sqlite3.Connection, before: int | None, limit: int, damaged: Collection[int]) -> SetPage:
    """Returns the next sets, newest first: up to `limit` names, without those whose jobs are all hidden. `before`: the cursor of the
    previous page.
    """
    rows = connection.execute(
        "SELECT n, name FROM sets WHERE n < ? ORDER BY n DESC LIMIT ?",
        (2**63 - 1 if before is None else before, limit + 1),
    ).fetchall()
    known = list(damaged)
    found = [load(connection, name, known) for _, name in rows[:limit]]
    more = len(rows) > limit
    return SetPage([row for row in found if row is not None], rows[limit - 1][0] if more else None)


def active(connection: sqlite3.Connection, name: str) -> list[str]:
    """Returns the uids of the set's jobs that have not ended: those that wait, then the others; of both the newest first."""
    rows = connection.execute(
        "SELECT uid, waiting FROM jobs INDEXED BY jobs_by_set"
        " WHERE set_name = ? AND hidden = 0 AND finished_at IS NULL ORDER BY n DESC",
        (name,),
    ).fetchall()
    return [uid for uid, waits in rows if waits] + [uid for uid, waits in rows if not waits]
