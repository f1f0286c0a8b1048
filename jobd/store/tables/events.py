"""Events in SQL: each event gets one number, and readers read events in the order of the numbers.

Pure functions of a connection. `outbox.py` has the events' deliveries.
"""
# ruff: noqa: S608 - only clauses of this file are put together; every value is a parameter

import sqlite3
from datetime import datetime

from jobd.store.sqlite.checks import checksum, fits
from jobd.store.sqlite.timestamps import from_micros, to_micros
from jobd.store.tables.rows import StoredEvent

DAMAGED_BODY = b'{"error":"the stored event does not match its checksum: the disk has changed it"}'
"""The body that a reader gets for a damaged event."""


def insert(
    connection: sqlite3.Connection, number: int, event_id: str, type: str, body: bytes, created_at: datetime
) -> int:
    """Writes an event, unless one with this id exists; returns the event's number."""
    row = connection.execute(
        "INSERT INTO events (job, event_id, type, created_at, body, sum) VALUES (?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (event_id) DO NOTHING RETURNING seq",
        (number, event_id, type, to_micros(created_at), body, checksum(body)),
    ).fetchone()
    if row is None:
        row = connection.execute("SELECT seq FROM events WHERE event_id = ?", (event_id,)).fetchone()
    seq: int = row[0]
    return seq


def after(
    connection: sqlite3.Connection, after_seq: int, uid: str | None, limit: int, max_bytes: int
) -> list[StoredEvent]:
    """Returns events after `after_seq`, oldest first: up to `limit` and `max_bytes`, and at least one."""
    only = "" if uid is None else "AND e.job = (SELECT n FROM jobs WHERE uid = ?)"
    rows = connection.execute(
        "SELECT e.seq, j.uid, j.id, e.event_id, e.type, e.body, e.created_at, e.sum FROM events e JOIN jobs j ON j.n = e.job"
        f" WHERE e.seq > ? {only} ORDER BY e.seq LIMIT ?",
        (after_seq, limit) if uid is None else (after_seq, uid, limit),
    )
    found: list[StoredEvent] = []
    size = 0
    for seq, job_uid, job_id, event_id, type_, body, created, body_sum in rows:
        size += len(body)
        if found and size > max_bytes:
            break
        if not fits(body_sum, body):
            body = DAMAGED_BODY
        found.append(StoredEvent(seq, job_uid, job_id, event_id, type_, body, from_micros(created)))
    return found


def last_seq(connection: sqlite3.Connection) -> int:
    """Returns the highest event number ever assigned, 0 where there is none."""
    row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'events'").fetchone()
    return int(row[0]) if row else 0
