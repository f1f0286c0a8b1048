"""The list of jobs in SQL: filters, order, pages and cursors. Pure functions of a connection."""
# ruff: noqa: S608 - only clauses of this file are put together; every value is a parameter

import json
import sqlite3
from collections.abc import Collection, Mapping
from datetime import datetime

from jobd.store.sqlite.timestamps import to_micros
from jobd.store.tables.job_decoder import decode_job
from jobd.store.tables.jobs import READ
from jobd.store.tables.rows import JobPage, JobRow

UNREADABLE = "unreadable"
"""The status of a damaged row, whatever its column says."""
SCANNED_ROWS = 2000
"""The most rows that are read for one page of damaged rows."""
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
    known_damaged: Collection[int] = (),
) -> JobPage:
    """Returns one page of the jobs that are not hidden, newest first: up to `limit` and `max_bytes`, and at least one.

    No index tells which rows are damaged. The status `unreadable` alone scans all rows; together with other statuses it adds the
    rows with the numbers `known_damaged`, so that a list of running jobs does not scan the whole history.

    Raises:
        ValueError: the cursor is not from a page of this list.
    """
    if statuses is not None and not statuses:
        return JobPage([], None)
    wheres = ["hidden = 0"]
    values: list[object] = []
    if cursor is not None:
        wheres.append("n < ?")
        values.append(_cursor(cursor))
    others = sorted(statuses - {UNREADABLE}) if statuses is not None else []
    if others:
        damaged = " OR n IN (SELECT value FROM json_each(?))" if UNREADABLE in (statuses or ()) else ""
        wheres.append(f"(status IN ({', '.join('?' * len(others))}){damaged})")
        values.extend([*others, *([json.dumps(list(known_damaged))] if damaged else [])])
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
    # The inner query reads the index alone; the outer one reads only the rows of the page.
    scanned = limit if statuses is None or others else SCANNED_ROWS
    chosen = f"SELECT n FROM jobs INDEXED BY jobs_listed WHERE {' AND '.join(wheres)} ORDER BY n DESC LIMIT ?"
    rows = connection.execute(
        f"SELECT {READ} FROM jobs WHERE n IN ({chosen}) ORDER BY n DESC", (*values, scanned + 1)
    )
    found: list[JobRow] = []
    size, last = 0, 0
    for count, job in enumerate(map(decode_job, rows)):
        wanted = statuses is None or (UNREADABLE if job.damage else job.status) in statuses
        size += len(job.spec) + len(job.record) if wanted else 0
        if count == scanned or (wanted and (len(found) == limit or (found and size > max_bytes))):
            return JobPage(found, str(last))
        if wanted:
            found.append(job)
        last = job.number
    return JobPage(found, None)


def damaged_rows(connection: sqlite3.Connection, after: int, limit: int) -> tuple[list[int], int | None]:
    """Returns the numbers of the damaged rows among the next `limit` rows, and the number of the last of these; None at the end."""
    rows = connection.execute(
        f"SELECT {READ} FROM jobs WHERE n > ? AND hidden = 0 ORDER BY n LIMIT ?", (after, limit)
    )
    found: list[int] = []
    count, last = 0, after
    for job in map(decode_job, rows):
        count, last = count + 1, job.number
        if job.damage:
            found.append(job.number)
    return found, last if count == limit else None


def _cursor(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > 18:
        raise ValueError("not a cursor of this list")
    return int(text)
