"""Logs in SQL: chunks of lines, written once and read in order.

Pure functions of a connection. `jobd.jobs.log.log_storage` knows what a chunk's bytes mean.
"""

import sqlite3
from collections.abc import Iterable

from jobd.store.sqlite.checks import checksum, fits
from jobd.store.tables.rows import LogChunk, LogStats


def insert(connection: sqlite3.Connection, number: int, chunks: Iterable[LogChunk]) -> None:
    """Writes chunks, except those that exist."""
    for chunk in chunks:
        connection.execute(
            "INSERT INTO log_chunks (job, first_seq, last_seq, line_count, size_bytes, data, sum)"
            " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (job, last_seq) DO NOTHING",
            (
                number,
                chunk.first_seq,
                chunk.last_seq,
                chunk.line_count,
                len(chunk.data),
                chunk.data,
                checksum(chunk.data),
            ),
        )


def chunks(connection: sqlite3.Connection, uid: str, after_seq: int, max_bytes: int) -> list[LogChunk]:
    """Returns the chunks with lines after `after_seq`, in order: up to `max_bytes`, and at least one."""
    rows = connection.execute(
        "SELECT first_seq, last_seq, line_count, data, sum FROM log_chunks"
        " WHERE job = (SELECT n FROM jobs WHERE uid = ?) AND last_seq > ? ORDER BY last_seq",
        (uid, after_seq),
    )
    found: list[LogChunk] = []
    size = 0
    for row in rows:
        size += len(row[3])
        if found and size > max_bytes:
            break
        found.append(LogChunk(row[0], row[1], row[2], row[3], not fits(row[4], row[3])))
    return found


def stats(connection: sqlite3.Connection, uid: str) -> LogStats:
    """Returns the size of a job's log."""
    row = connection.execute(
        "SELECT ifnull(max(last_seq), 0), ifnull(sum(line_count), 0), ifnull(sum(size_bytes), 0) FROM log_chunks"
        " WHERE job = (SELECT n FROM jobs WHERE uid = ?)",
        (uid,),
    ).fetchone()
    return LogStats(*row)
