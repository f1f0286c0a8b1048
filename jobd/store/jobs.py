"""Rows of jobs in SQL: a new one, a changed one, and those that are found by id, uid or what is left to do.

Pure functions of a connection. The list that people page through is in `listing.py`; transactions are the writer's.
"""
# ruff: noqa: S608 - only column lists and clauses of this file are put together; every value is a parameter

import json
import sqlite3
from datetime import datetime
from typing import Any

from jobd.store.errors import IdTaken, NoSuchJob, StaleJob
from jobd.store.moments import from_micros, optional_micros, optional_moment, to_micros
from jobd.store.rows import JobRow

_COLUMNS = "uid, id, owner, status, labels, created_at, finished_at, live, hidden, holds_id, record, version"
_SPEC = "ifnull((SELECT spec FROM specs WHERE specs.job = jobs.n), x'')"
READ = f"{_COLUMNS}, {_SPEC}"
"""What `job_of` takes."""


def claim(connection: sqlite3.Connection, job: JobRow) -> int:
    """Writes a new job and returns its number. Raises IdTaken: another row holds the id."""
    row = connection.execute(f"SELECT {READ} FROM jobs WHERE id = ? AND holds_id = 1", (job.id,)).fetchone()
    if row is not None:
        raise IdTaken(job_of(row))
    number: int = connection.execute(
        f"INSERT INTO jobs ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING n",
        (
            job.uid,
            job.id,
            job.owner,
            job.status,
            json.dumps(dict(job.labels), separators=(",", ":")),
            to_micros(job.created_at),
            optional_micros(job.finished_at),
            job.live,
            job.hidden,
            job.holds_id,
            job.record,
            job.version,
        ),
    ).fetchone()[0]
    connection.execute("INSERT INTO specs (job, spec) VALUES (?, ?)", (number, job.spec))
    if job.labels:
        connection.executemany(
            "INSERT INTO job_labels (name, value, job) VALUES (?, ?, ?)",
            [(name, value, number) for name, value in job.labels.items()],
        )
    return number


def update(connection: sqlite3.Connection, job: JobRow) -> int:
    """Writes what may change of a job and returns its number. `job` must be the version after the stored one.

    `hidden` is never taken back: an older job of an id that was deleted is hidden by the row alone, see `hide`.

    Raises:
        NoSuchJob: there is no such row.
        StaleJob: the stored row is not the version that `job` was made from; nothing is written.
    """
    row = connection.execute(
        "UPDATE jobs SET status = ?, finished_at = ?, live = ?, hidden = max(hidden, ?), holds_id = ?, record = ?,"
        " version = ? WHERE uid = ? AND version = ? RETURNING n",
        (
            job.status,
            optional_micros(job.finished_at),
            job.live,
            job.hidden,
            job.holds_id,
            job.record,
            job.version,
            job.uid,
            job.version - 1,
        ),
    ).fetchone()
    if row is None:
        stored = connection.execute("SELECT version FROM jobs WHERE uid = ?", (job.uid,)).fetchone()
        if stored is None:
            raise NoSuchJob(f"no job with uid {job.uid!r}")
        raise StaleJob(
            f"job {job.uid!r} is at version {stored[0]}, and version {job.version} does not follow"
        )
    number: int = row[0]
    return number


def by_id(connection: sqlite3.Connection, job_id: str) -> JobRow | None:
    """Returns the newest job with this id that is not hidden."""
    row = connection.execute(
        f"SELECT {READ} FROM jobs WHERE id = ? AND hidden = 0 ORDER BY n DESC LIMIT 1", (job_id,)
    ).fetchone()
    return None if row is None else job_of(row)


def by_uid(connection: sqlite3.Connection, uid: str) -> JobRow | None:
    """Returns the job with this uid, hidden or not."""
    row = connection.execute(f"SELECT {READ} FROM jobs WHERE uid = ?", (uid,)).fetchone()
    return None if row is None else job_of(row)


def is_there(connection: sqlite3.Connection, uid: str) -> bool:
    """Returns whether there is a job with this uid, hidden or not."""
    return connection.execute("SELECT 1 FROM jobs WHERE uid = ?", (uid,)).fetchone() is not None


def live(connection: sqlite3.Connection) -> list[JobRow]:
    """Returns all jobs that have not ended, or are to be gone, and still need work; oldest first, without their specs."""
    where = "live = 1 AND (finished_at IS NULL OR hidden = 1)"
    rows = connection.execute(f"SELECT {_COLUMNS}, x'' FROM jobs WHERE {where} ORDER BY n")
    return [job_of(row) for row in rows]


def ended_live(connection: sqlite3.Connection, before: datetime, limit: int) -> list[JobRow]:
    """Returns jobs that ended before a moment and have not been cleaned up, those that ended first, first."""
    rows = connection.execute(
        f"SELECT {READ} FROM jobs INDEXED BY jobs_to_clean"
        " WHERE live = 1 AND finished_at IS NOT NULL AND finished_at < ? ORDER BY finished_at LIMIT ?",
        (to_micros(before), limit),
    )
    return [job_of(row) for row in rows]


def hide(connection: sqlite3.Connection, job_id: str) -> None:
    """Hides every job of this id that is over: an older one must not come to light when the newest is deleted."""
    connection.execute("UPDATE jobs SET hidden = 1 WHERE id = ? AND hidden = 0 AND live = 0", (job_id,))


def job_of(row: tuple[Any, ...]) -> JobRow:
    """Returns the columns of `READ` as a row."""
    (
        uid,
        job_id,
        owner,
        status,
        labels,
        created,
        finished,
        is_live,
        hidden,
        holds_id,
        record,
        version,
        spec,
    ) = row
    return JobRow(
        uid=uid,
        id=job_id,
        owner=owner,
        status=status,
        labels={} if labels == "{}" else json.loads(labels),
        created_at=from_micros(created),
        finished_at=optional_moment(finished),
        live=bool(is_live),
        hidden=bool(hidden),
        holds_id=bool(holds_id),
        record=record,
        spec=spec,
        version=version,
    )
