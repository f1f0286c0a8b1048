"""The ends of jobs in SQL, for statistics. Pure functions of a connection.

The rows are small and have an index by time: statistics over a long history read no record.
"""
# ruff: noqa: S608 - only column lists and clauses of this file are put together; every value is a parameter

import json
import sqlite3
from collections.abc import Callable
from datetime import datetime

from jobd.store.sqlite.timestamps import from_micros, to_micros
from jobd.store.tables.rows import EndedJob, JobRow

PHASES = ("queued", "pulling", "inputs", "running", "outputs")
"""The columns of `Ending.spent`."""
LABELS = "label"
_KEYS = {
    "": "NULL",
    "image": "ends.image",
    "group": "ends.job_group",
    LABELS: "(SELECT json_group_array(name || '=' || value) FROM job_labels WHERE job = ends.job)",
}
_ONE_LABEL = "(SELECT value FROM job_labels WHERE job = ends.job AND name = ?)"
NEWEST = (253_402_300_799_999_999, 0)
"""The cursor of the first page: the last microsecond that a time may have."""


def insert(connection: sqlite3.Connection, number: int, job: JobRow) -> None:
    """Writes the end of a job that has ended; a second time changes nothing."""
    if job.ending is None or job.finished_at is None:
        return
    connection.execute(
        f"INSERT INTO ends (job, finished_at, status, reason, image, job_group, {', '.join(PHASES)})"
        f" VALUES ({', '.join('?' * 11)}) ON CONFLICT (job) DO NOTHING",
        (
            number,
            to_micros(job.finished_at),
            job.status,
            job.ending.reason,
            job.ending.image,
            job.ending.group,
            *job.ending.spent,
        ),
    )


def page(
    connection: sqlite3.Connection,
    take: Callable[[EndedJob], bool],
    by: str,
    since: datetime | None,
    before: tuple[int, int],
    limit: int,
) -> tuple[int, int] | None:
    """Gives the next ends, latest first, to `take` until that returns False; returns the cursor of the next page, None at the end. Jobs that
    are hidden are left out. `by`: `image`, `group`, `label` (all labels), `label:NAME`, or nothing.
    """
    name = by.partition(":")[2]
    keys = _ONE_LABEL if name else _KEYS[by]
    rows = connection.execute(
        f"SELECT ends.job, ends.finished_at, ends.status, reason, {', '.join(PHASES)}, {keys}"
        " FROM ends INDEXED BY ends_by_time CROSS JOIN jobs INDEXED BY jobs_listed ON jobs.n = ends.job"
        " WHERE ends.finished_at >= ? AND (ends.finished_at, ends.job) < (?, ?) AND jobs.hidden = 0"
        " ORDER BY ends.finished_at DESC, ends.job DESC LIMIT ?",
        (*([name] if name else []), 0 if since is None else to_micros(since), *before, limit),
    )
    count = 0
    for count, (number, finished, status, reason, *spent, key) in enumerate(rows, 1):  # noqa: B007 - the last one counts
        before = (finished, number)
        # The rows have no checksums: a damaged value is left out.
        times = tuple(one if isinstance(one, int) else None for one in spent)
        job = EndedJob(from_micros(finished), str(status), reason, times, _keys(key, by))
        if not take(job):
            return None
    return before if count == limit else None


def _keys(key: object, by: str) -> tuple[str, ...]:
    if not isinstance(key, str):
        return ()
    return tuple(json.loads(key)) if by == LABELS else (key,)


def oldest(connection: sqlite3.Connection, since: datetime | None) -> datetime | None:
    """Returns the time of the oldest end that `page` finds, None without any."""
    row = connection.execute(
        "SELECT ends.finished_at FROM ends INDEXED BY ends_by_time CROSS JOIN jobs INDEXED BY jobs_listed ON jobs.n = ends.job"
        " WHERE ends.finished_at >= ? AND jobs.hidden = 0 ORDER BY ends.finished_at LIMIT 1",
        (0 if since is None else to_micros(since),),
    ).fetchone()
    return None if row is None else from_micros(row[0])
