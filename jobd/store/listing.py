"""The list of jobs in SQL: filters, order, pages and their cursors.

Pure functions of a connection.
"""
# ruff: noqa: S608 - only clauses of this file are put together; every value is a parameter

import sqlite3
from collections.abc import Mapping
from datetime import datetime

from jobd.store.jobs import READ, job_of
from jobd.store.moments import to_micros
from jobd.store.rows import JobPage, JobRow

_LAST_CHARACTER = "\U0010ffff"


def page(
    connection: sqlite3.Connection,
    statuses: frozenset[str] | None,
    labels: Mapping[str, str],
    owner: str | None,
    since: datetime | None,
    prefix: str,
    cursor: str | None,
    limit: int,
    max_bytes: int,
) -> JobPage:
    """Returns one page of the jobs that are not hidden, newest first: at most `limit`, after the first one `max_bytes`.

    Raises:
        ValueError: the cursor is not one that a page gave.
    """
    if statuses is not None and not statuses:
        return JobPage([], None)
    wheres = ["hidden = 0"]
    values: list[object] = []
    if cursor is not None:
        wheres.append("n < ?")
        values.append(_cursor(cursor))
    if statuses is not None:
        wheres.append(f"status IN ({', '.join('?' * len(statuses))})")
        values.extend(sorted(statuses))
    if owner is not None:
        wheres.append("owner = ?")
        values.append(owner)
    if since is not None:
        wheres.append("created_at >= ?")
        values.append(to_micros(since))
    if prefix:
        wheres.append("id >= ? AND id < ?")
        values.extend((prefix, prefix + _LAST_CHARACTER))
    for name, value in labels.items():
        wheres.append("n IN (SELECT job FROM job_labels WHERE name = ? AND value = ?)")
        values.extend((name, value))
    # The numbers come out of the index alone; only the rows of the page itself are read.
    chosen = f"SELECT n FROM jobs INDEXED BY jobs_listed WHERE {' AND '.join(wheres)} ORDER BY n DESC LIMIT ?"
    rows = connection.execute(
        f"SELECT n, {READ} FROM jobs WHERE n IN ({chosen}) ORDER BY n DESC", (*values, limit + 1)
    )
    found: list[JobRow] = []
    size, last = 0, 0
    for number, *columns in rows:
        job = job_of(tuple(columns))
        size += len(job.spec) + len(job.record)
        if len(found) == limit or (found and size > max_bytes):
            return JobPage(found, str(last))
        found.append(job)
        last = number
    return JobPage(found, None)


def _cursor(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > 18:
        raise ValueError("not a cursor of this list")
    return int(text)
