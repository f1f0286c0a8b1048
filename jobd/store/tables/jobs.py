"""Rows of jobs in SQL: a new one, a changed one, and those that are found by id, uid or what is left to do.

Pure functions of a connection. The list that people page through is in `listing.py`; transactions are the writer's.
"""
# ruff: noqa: S608 - only column lists and clauses of this file are put together; every value is a parameter

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import replace

from jobd.store.errors import IdTaken, NoSuchJob, StaleJob
from jobd.store.sqlite.checks import checksum
from jobd.store.sqlite.reading import job_of, shown_number
from jobd.store.sqlite.timestamps import optional_micros, to_micros
from jobd.store.tables.rows import EndedPage, JobRow

_COLUMNS = "uid, id, owner, status, labels, created_at, finished_at, live, hidden, holds_id, record, version"
_SUMS = "fixed_sum, spec_sum, record_sum"
_SPEC = "ifnull((SELECT spec FROM specs WHERE specs.job = jobs.n), x'')"
READ = f"n, {_COLUMNS}, {_SUMS}, {_SPEC}"
"""What `job_of` takes."""


def claim(connection: sqlite3.Connection, job: JobRow, seen_ms: int) -> int:
    """Writes a new job and returns its number. Raises IdTaken: another row holds the id."""
    row = connection.execute(f"SELECT {READ} FROM jobs WHERE id = ? AND holds_id = 1", (job.id,)).fetchone()
    if row is not None:
        raise IdTaken(job_of(row))
    labels = json.dumps(dict(job.labels), separators=(",", ":"))
    created_at = to_micros(job.created_at)
    number: int = connection.execute(
        f"INSERT INTO jobs ({_COLUMNS}, {_SUMS}, ended_seen) VALUES ({', '.join('?' * 16)}) RETURNING n",
        (
            job.uid,
            job.id,
            job.owner,
            job.status,
            labels,
            created_at,
            optional_micros(job.finished_at),
            job.live,
            job.hidden,
            job.holds_id,
            job.record,
            job.version,
            checksum(job.uid, job.id, job.owner, labels, created_at),
            checksum(job.spec),
            checksum(job.record),
            seen_ms if _over(job) else None,
        ),
    ).fetchone()[0]
    connection.execute("INSERT INTO specs (job, spec) VALUES (?, ?)", (number, job.spec))
    if job.labels:
        connection.executemany(
            "INSERT INTO job_labels (name, value, job) VALUES (?, ?, ?)",
            [(name, value, number) for name, value in job.labels.items()],
        )
    return number


def update(connection: sqlite3.Connection, job: JobRow, seen_ms: int) -> int:
    """Writes what may change of a job and returns its number. `job` must be the version after the stored one. The first row that
    says that the job is over is dated with `seen_ms`, which retention counts from.

    `hidden` is never taken back: an older job of an id that was deleted is hidden by the row alone, see `hide`.

    Raises:
        NoSuchJob: there is no such row.
        StaleJob: the stored row is not the version that `job` was made from; nothing is written.
    """
    row = connection.execute(
        "UPDATE jobs SET status = ?, finished_at = ?, live = ?, hidden = max(hidden, ?), holds_id = ?, record = ?,"
        " version = ?, record_sum = ?, ended_seen = ifnull(ended_seen, ?) WHERE uid = ? AND version = ? RETURNING n",
        (
            job.status,
            optional_micros(job.finished_at),
            job.live,
            job.hidden,
            job.holds_id,
            job.record,
            job.version,
            checksum(job.record),
            seen_ms if _over(job) else None,
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
    """Returns the newest job with this id that is not hidden; one whose id is damaged, by the name that it is shown with."""
    row = connection.execute(
        f"SELECT {READ} FROM jobs WHERE id = ? AND hidden = 0 ORDER BY n DESC LIMIT 1", (job_id,)
    ).fetchone()
    if row is not None:
        return job_of(row)
    row = connection.execute(
        f"SELECT {READ} FROM jobs WHERE n = ? AND hidden = 0", (shown_number(job_id),)
    ).fetchone()
    found = None if row is None else job_of(row)
    return found if found is not None and found.id == job_id else None


def by_uid(connection: sqlite3.Connection, uid: str) -> JobRow | None:
    """Returns the job with this uid, hidden or not."""
    row = connection.execute(f"SELECT {READ} FROM jobs WHERE uid = ?", (uid,)).fetchone()
    return None if row is None else job_of(row)


def is_there(connection: sqlite3.Connection, uid: str) -> bool:
    """Returns whether there is a job with this uid, hidden or not."""
    return connection.execute("SELECT 1 FROM jobs WHERE uid = ?", (uid,)).fetchone() is not None


def live(connection: sqlite3.Connection, after: int, max_bytes: int) -> list[JobRow]:
    """Returns jobs that have not ended, or are to be gone, and still need work, with numbers above `after`; oldest first, without
    their specs, which are read only to see whether they are whole: the first one, and more up to `max_bytes` of records.
    """
    where = "live = 1 AND (finished_at IS NULL OR hidden = 1) AND n > ?"
    rows = connection.execute(f"SELECT {READ} FROM jobs WHERE {where} ORDER BY n", (after,))
    return _up_to((replace(job, spec=b"") for job in map(job_of, rows)), max_bytes)


def ended_live(
    connection: sqlite3.Connection, seen_ms: int, after: tuple[int, int], limit: int, max_bytes: int
) -> EndedPage:
    """Returns jobs that ended when less than `seen_ms` was seen and have not been cleaned up, those that ended first, first: at most
    `limit`, after the first one up to `max_bytes`.
    """
    rows = connection.execute(
        f"SELECT {READ}, ended_seen FROM jobs INDEXED BY jobs_to_clean"
        " WHERE live = 1 AND finished_at IS NOT NULL AND ended_seen <= ? AND (ended_seen, n) > (?, ?)"
        " ORDER BY ended_seen, n LIMIT ?",
        (seen_ms, *after, limit),
    )
    found: list[JobRow] = []
    last, size = after, 0
    for *row, ended in rows:
        job = job_of(tuple(row))
        size += len(job.record) + len(job.spec)
        if found and size > max_bytes:
            break
        found.append(job)
        last = (ended, job.number)
    return EndedPage(found, last if found else None)


def _up_to(rows: Iterator[JobRow], max_bytes: int) -> list[JobRow]:
    found: list[JobRow] = []
    for job in rows:
        max_bytes -= len(job.record) + len(job.spec)
        if found and max_bytes < 0:
            break
        found.append(job)
    return found


def _over(job: JobRow) -> bool:
    return job.finished_at is not None or not job.live


def hide_rows(connection: sqlite3.Connection, numbers: list[int]) -> None:
    """Hides rows that are over, by number."""
    connection.executemany("UPDATE jobs SET hidden = 1 WHERE n = ?", [(number,) for number in numbers])


def damaged(connection: sqlite3.Connection, uid: str, job_id: str) -> bool:
    """True where a row of this uid or this id is damaged, and nobody has asked for its removal: whose a container is cannot be said."""
    rows = connection.execute(
        f"SELECT {READ} FROM jobs WHERE (uid = ? OR id = ?) AND hidden = 0", (uid, job_id)
    )
    return any(job_of(row).damage for row in rows)


def discard(connection: sqlite3.Connection, number: int) -> None:
    """Marks a damaged row as over, hidden and without an id: all that belongs to it is removed as that of any deleted job."""
    connection.execute(
        "UPDATE jobs SET hidden = 1, live = 0, holds_id = 0, ended_seen = ifnull(ended_seen, 0) WHERE n = ?",
        (number,),
    )


def hide(connection: sqlite3.Connection, job_id: str) -> None:
    """Hides every job of this id that is over: an older one must not come to light when the newest is deleted."""
    connection.execute("UPDATE jobs SET hidden = 1 WHERE id = ? AND hidden = 0 AND live = 0", (job_id,))
