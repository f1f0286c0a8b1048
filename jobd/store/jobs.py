"""Jobs, their events and their logs, in SQL: what a transition writes and what is read back.

Pure functions of a connection. The outbox is in `outbox.py`; transactions are the writer's.
"""
# ruff: noqa: S608 - only column lists and clauses of this file are put together; every value is a parameter

import json
import sqlite3
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from jobd.store import outbox
from jobd.store.errors import IdTaken, NoSuchJob
from jobd.store.moments import from_micros, optional_micros, optional_moment, to_micros
from jobd.store.rows import JobPage, JobRow, LogChunk, LogStats, StoredEvent, Transition

_COLUMNS = "uid, id, owner, status, labels, created_at, finished_at, live, hidden, holds_id, record"
_SPEC = "ifnull((SELECT spec FROM specs WHERE specs.job = jobs.n), x'')"
_READ = f"{_COLUMNS}, {_SPEC}"
_LAST_CHARACTER = "\U0010ffff"


def commit(connection: sqlite3.Connection, transition: Transition) -> list[StoredEvent]:
    """Writes one transition. An event or a chunk that is there already is not written twice.

    Raises:
        IdTaken: `claim_id`, and another row holds the id.
        NoSuchJob: not `claim_id`, and there is no such row.
    """
    job = transition.job
    number = _claim(connection, job) if transition.claim_id else _update(connection, job)
    if transition.callback is not None:
        outbox.set_callback(connection, number, transition.callback)
    stored = [
        StoredEvent(
            seq=_keep_event(connection, number, event.event_id, event.type, event.body, event.created_at),
            job_uid=job.uid,
            job_id=job.id,
            event_id=event.event_id,
            type=event.type,
            body=event.body,
            created_at=event.created_at,
        )
        for event in transition.events
    ]
    wanted = [kept for event, kept in zip(transition.events, stored, strict=True) if event.deliver]
    if wanted:
        outbox.enqueue(connection, number, wanted)
    _keep_logs(connection, number, transition.logs)
    return stored


def _claim(connection: sqlite3.Connection, job: JobRow) -> int:
    row = connection.execute(f"SELECT {_READ} FROM jobs WHERE id = ? AND holds_id = 1", (job.id,)).fetchone()
    if row is not None:
        raise IdTaken(_job(row))
    number: int = connection.execute(
        f"INSERT INTO jobs ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING n",
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
        ),
    ).fetchone()[0]
    connection.execute("INSERT INTO specs (job, spec) VALUES (?, ?)", (number, job.spec))
    if job.labels:
        connection.executemany(
            "INSERT INTO job_labels (name, value, job) VALUES (?, ?, ?)",
            [(name, value, number) for name, value in job.labels.items()],
        )
    return number


def _update(connection: sqlite3.Connection, job: JobRow) -> int:
    row = connection.execute(
        "UPDATE jobs SET status = ?, finished_at = ?, live = ?, hidden = ?, holds_id = ?, record = ?"
        " WHERE uid = ? RETURNING n",
        (
            job.status,
            optional_micros(job.finished_at),
            job.live,
            job.hidden,
            job.holds_id,
            job.record,
            job.uid,
        ),
    ).fetchone()
    if row is None:
        raise NoSuchJob(f"no job with uid {job.uid!r}")
    number: int = row[0]
    return number


def _keep_event(
    connection: sqlite3.Connection, number: int, event_id: str, type: str, body: bytes, created_at: datetime
) -> int:
    row = connection.execute(
        "INSERT INTO events (job, event_id, type, created_at, body) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (event_id) DO NOTHING RETURNING seq",
        (number, event_id, type, to_micros(created_at), body),
    ).fetchone()
    if row is None:
        row = connection.execute("SELECT seq FROM events WHERE event_id = ?", (event_id,)).fetchone()
    seq: int = row[0]
    return seq


def _keep_logs(connection: sqlite3.Connection, number: int, chunks: Iterable[LogChunk]) -> None:
    for chunk in chunks:
        connection.execute(
            "INSERT INTO log_chunks (job, first_seq, last_seq, line_count, size_bytes, data)"
            " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (job, last_seq) DO NOTHING",
            (number, chunk.first_seq, chunk.last_seq, chunk.line_count, len(chunk.data), chunk.data),
        )


def by_id(connection: sqlite3.Connection, job_id: str) -> JobRow | None:
    """Returns the newest job with this id that is not hidden."""
    row = connection.execute(
        f"SELECT {_READ} FROM jobs WHERE id = ? AND hidden = 0 ORDER BY n DESC LIMIT 1", (job_id,)
    ).fetchone()
    return None if row is None else _job(row)


def by_uid(connection: sqlite3.Connection, uid: str) -> JobRow | None:
    """Returns the job with this uid, hidden or not."""
    row = connection.execute(f"SELECT {_READ} FROM jobs WHERE uid = ?", (uid,)).fetchone()
    return None if row is None else _job(row)


def live(connection: sqlite3.Connection) -> list[JobRow]:
    """Returns all jobs that have not ended, or are to be gone, and still need work; oldest first."""
    where = "live = 1 AND (finished_at IS NULL OR hidden = 1)"
    return [_job(row) for row in connection.execute(f"SELECT {_READ} FROM jobs WHERE {where} ORDER BY n")]


def ended_live(connection: sqlite3.Connection, before: datetime, limit: int) -> list[JobRow]:
    """Returns jobs that ended before a moment and have not been cleaned up, those that ended first, first."""
    rows = connection.execute(
        f"SELECT {_READ} FROM jobs INDEXED BY jobs_to_clean"
        " WHERE live = 1 AND finished_at IS NOT NULL AND finished_at < ? ORDER BY finished_at LIMIT ?",
        (to_micros(before), limit),
    )
    return [_job(row) for row in rows]


def hide(connection: sqlite3.Connection, job_id: str) -> None:
    """Hides every job of this id that is over: an older one must not come to light when the newest is deleted."""
    connection.execute("UPDATE jobs SET hidden = 1 WHERE id = ? AND hidden = 0 AND live = 0", (job_id,))


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
        f"SELECT n, {_READ} FROM jobs WHERE n IN ({chosen}) ORDER BY n DESC", (*values, limit + 1)
    )
    found: list[JobRow] = []
    size, last = 0, 0
    for number, *columns in rows:
        job = _job(tuple(columns))
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


def events(
    connection: sqlite3.Connection, after_seq: int, uid: str | None, limit: int, max_bytes: int
) -> list[StoredEvent]:
    """Returns events after `after_seq`, oldest first: at most `limit`, and after the first one at most `max_bytes`."""
    only = "" if uid is None else "AND e.job = (SELECT n FROM jobs WHERE uid = ?)"
    rows = connection.execute(
        "SELECT e.seq, j.uid, j.id, e.event_id, e.type, e.body, e.created_at FROM events e JOIN jobs j ON j.n = e.job"
        f" WHERE e.seq > ? {only} ORDER BY e.seq LIMIT ?",
        (after_seq, limit) if uid is None else (after_seq, uid, limit),
    )
    found: list[StoredEvent] = []
    size = 0
    for seq, job_uid, job_id, event_id, type_, body, created in rows:
        size += len(body)
        if found and size > max_bytes:
            break
        found.append(StoredEvent(seq, job_uid, job_id, event_id, type_, body, from_micros(created)))
    return found


def last_seq(connection: sqlite3.Connection) -> int:
    """Returns the highest event number that was ever given, 0 where there was none."""
    row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'events'").fetchone()
    return int(row[0]) if row else 0


def log_chunks(connection: sqlite3.Connection, uid: str, after_seq: int, max_bytes: int) -> list[LogChunk]:
    """Returns the chunks that hold lines after `after_seq`, in order: the first one, and more up to `max_bytes`."""
    rows = connection.execute(
        "SELECT first_seq, last_seq, line_count, data FROM log_chunks"
        " WHERE job = (SELECT n FROM jobs WHERE uid = ?) AND last_seq > ? ORDER BY last_seq",
        (uid, after_seq),
    )
    found: list[LogChunk] = []
    size = 0
    for row in rows:
        size += len(row[3])
        if found and size > max_bytes:
            break
        found.append(LogChunk(*row))
    return found


def log_stats(connection: sqlite3.Connection, uid: str) -> LogStats:
    """Returns how much log a job has."""
    row = connection.execute(
        "SELECT ifnull(max(last_seq), 0), ifnull(sum(line_count), 0), ifnull(sum(size_bytes), 0) FROM log_chunks"
        " WHERE job = (SELECT n FROM jobs WHERE uid = ?)",
        (uid,),
    ).fetchone()
    return LogStats(*row)


def _job(row: tuple[Any, ...]) -> JobRow:
    uid, job_id, owner, status, labels, created, finished, is_live, hidden, holds_id, record, spec = row
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
    )
