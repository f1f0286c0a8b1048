"""Rows of jobs in SQL: insert, update, and queries by id, uid or remaining work.

Pure functions of a connection. `listing.py` has the list for people; the writer owns transactions.
"""
# ruff: noqa: S608 - only column lists and clauses of this file are put together; every value is a parameter

import json
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import replace

from jobd.store.errors import IdTaken, NoSuchJob, StaleJob
from jobd.store.sqlite.checks import checksum
from jobd.store.sqlite.timestamps import optional_micros, to_micros
from jobd.store.tables.jobs import ends, sets
from jobd.store.tables.jobs.job_decoder import decode_job, row_number
from jobd.store.tables.rows import EndedPage, JobRow

_COLUMNS = "uid, id, owner, status, labels, created_at, finished_at, live, hidden, holds_id, record, version, set_name, waiting"
_SUMS = "fixed_sum, spec_sum, record_sum"
_SPEC = "ifnull((SELECT spec FROM specs WHERE specs.job = jobs.n), x'')"
READ = f"n, {_COLUMNS}, {_SUMS}, {_SPEC}"
"""The columns that `decode_job` needs."""


def insert(connection: sqlite3.Connection, job: JobRow, observed_ms: int) -> int:
    """Writes a new job and returns its number. Raises IdTaken: the id belongs to another row."""
    row = connection.execute(f"SELECT {READ} FROM jobs WHERE id = ? AND holds_id = 1", (job.id,)).fetchone()
    if row is not None:
        raise IdTaken(decode_job(row))
    labels = json.dumps(dict(job.labels), separators=(",", ":"))
    created_at = to_micros(job.created_at)
    number: int = connection.execute(
        f"INSERT INTO jobs ({_COLUMNS}, {_SUMS}, ended_seen) VALUES ({', '.join('?' * 18)}) RETURNING n",
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
            job.set_name,
            job.waiting,
            checksum(job.uid, job.id, job.owner, labels, created_at),
            checksum(job.spec),
            checksum(job.record),
            observed_ms if _has_ended(job) else None,
        ),
    ).fetchone()[0]
    connection.execute("INSERT INTO specs (job, spec) VALUES (?, ?)", (number, job.spec))
    ends.insert(connection, number, job)
    if job.set_name is not None:
        sets.add(connection, job.set_name)
    if job.labels:
        connection.executemany(
            "INSERT INTO job_labels (name, value, job) VALUES (?, ?, ?)",
            [(name, value, number) for name, value in job.labels.items()],
        )
    return number


def update(connection: sqlite3.Connection, job: JobRow, observed_ms: int) -> int:
    """Writes the columns of a job that may change and returns its number. `job` must be the version after the stored one. The first
    update of an ended job stores the observed time, from which retention counts.

    A hidden row stays hidden: `hide` hides rows of older jobs, whose records do not know that.

    Raises:
        NoSuchJob: the row does not exist.
        StaleJob: the stored row is not the version before `job`; nothing is written.
    """
    row = connection.execute(
        "UPDATE jobs SET status = ?, finished_at = ?, live = ?, hidden = max(hidden, ?), holds_id = ?, record = ?,"
        " version = ?, waiting = ?, record_sum = ?, ended_seen = ifnull(ended_seen, ?) WHERE uid = ? AND version = ? RETURNING n",
        (
            job.status,
            optional_micros(job.finished_at),
            job.live,
            job.hidden,
            job.holds_id,
            job.record,
            job.version,
            job.waiting,
            checksum(job.record),
            observed_ms if _has_ended(job) else None,
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
    ends.insert(connection, number, job)
    return number


def by_id(connection: sqlite3.Connection, job_id: str) -> JobRow | None:
    """Returns the newest job with this id that is not hidden. A job whose id is damaged has the id `damaged-<number>`."""
    row = connection.execute(
        f"SELECT {READ} FROM jobs WHERE id = ? AND hidden = 0 ORDER BY n DESC LIMIT 1", (job_id,)
    ).fetchone()
    if row is not None:
        return decode_job(row)
    row = connection.execute(
        f"SELECT {READ} FROM jobs WHERE n = ? AND hidden = 0", (row_number(job_id),)
    ).fetchone()
    found = None if row is None else decode_job(row)
    return found if found is not None and found.id == job_id else None


def by_uid(connection: sqlite3.Connection, uid: str) -> JobRow | None:
    """Returns the job with this uid, hidden or not."""
    row = connection.execute(f"SELECT {READ} FROM jobs WHERE uid = ?", (uid,)).fetchone()
    return None if row is None else decode_job(row)


def exists(connection: sqlite3.Connection, uid: str) -> bool:
    """Returns whether a job with this uid exists, hidden or not."""
    return connection.execute("SELECT 1 FROM jobs WHERE uid = ?", (uid,)).fetchone() is not None


def liveness(connection: sqlite3.Connection, uids: Sequence[str]) -> dict[str, bool]:
    """Returns, for each of these uids that a job has, whether the job is live."""
    rows = connection.execute(
        "SELECT uid, live FROM jobs WHERE uid IN (SELECT value FROM json_each(?))", (json.dumps(uids),)
    )
    return {uid: bool(is_live) for uid, is_live in rows}


def live(connection: sqlite3.Connection, after: int, max_bytes: int) -> list[JobRow]:
    """Returns live jobs with numbers above `after` that have not ended or are being deleted, oldest first: up to `max_bytes` of records,
    and at least one. The rows have no specs, which are read only for their checksums.
    """
    where = "live = 1 AND (finished_at IS NULL OR hidden = 1) AND n > ?"
    rows = connection.execute(f"SELECT {READ} FROM jobs WHERE {where} ORDER BY n", (after,))
    return _up_to((replace(job, spec=b"") for job in map(decode_job, rows)), max_bytes)


def ended_live(
    connection: sqlite3.Connection, observed_ms: int, after: tuple[int, int], limit: int, max_bytes: int
) -> EndedPage:
    """Returns jobs that ended at an observed time of `observed_ms` or earlier and are not cleaned up, in the order of their ends: up to
    `limit` and `max_bytes`, and at least one.
    """
    rows = connection.execute(
        f"SELECT {READ}, ended_seen FROM jobs INDEXED BY jobs_to_clean"
        " WHERE live = 1 AND finished_at IS NOT NULL AND ended_seen <= ? AND (ended_seen, n) > (?, ?)"
        " ORDER BY ended_seen, n LIMIT ?",
        (observed_ms, *after, limit),
    )
    found: list[JobRow] = []
    last, size = after, 0
    for *row, ended in rows:
        job = decode_job(tuple(row))
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


def _has_ended(job: JobRow) -> bool:
    return job.finished_at is not None or not job.live


def hide_rows(connection: sqlite3.Connection, numbers: list[int]) -> None:
    """Hides rows, by number."""
    connection.executemany("UPDATE jobs SET hidden = 1 WHERE n = ?", [(number,) for number in numbers])


def is_damaged(connection: sqlite3.Connection, uid: str, job_id: str) -> bool:
    """Returns whether a row with this uid or this id is damaged and not hidden: its containers may belong to either job."""
    rows = connection.execute(
        f"SELECT {READ} FROM jobs WHERE (uid = ? OR id = ?) AND hidden = 0", (uid, job_id)
    )
    return any(decode_job(row).damage for row in rows)


def discard(connection: sqlite3.Connection, number: int) -> None:
    """Marks a row as ended, hidden and without an id: `remove_hidden` removes the row as that of any deleted job."""
    connection.execute(
        "UPDATE jobs SET hidden = 1, live = 0, holds_id = 0, ended_seen = ifnull(ended_seen, 0) WHERE n = ?",
        (number,),
    )


def hide(connection: sqlite3.Connection, job_id: str) -> None:
    """Hides every ended job with this id: after the deletion of the newest one, an older one must not appear."""
    connection.execute("UPDATE jobs SET hidden = 1 WHERE id = ? AND hidden = 0 AND live = 0", (job_id,))
