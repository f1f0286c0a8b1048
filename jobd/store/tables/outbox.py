"""The outbox, in SQL: how deliveries are enqueued, which are due, and how they are listed.

Pure functions of a connection. Keeps one rule: of each job exactly the first pending delivery has a `due_at`, so a read of due
deliveries keeps the order of each job. That delivery is due at the observed time `due_seen`, whatever happens to the wall clock;
`due_at` is the wall clock's time for people. `settling.py` stores what became of a delivery. The column `lane` is the destination.
"""
# ruff: noqa: S608 - only column lists and clauses of this file are put together; every value is a parameter

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from jobd.store.sqlite.checks import checksum, fits
from jobd.store.sqlite.timestamps import from_micros, optional_time, to_micros
from jobd.store.tables.delivery_rows import Delivery, DestinationDue, Due
from jobd.store.tables.rows import Callback, StoredEvent

INLINE_BYTES = 16 * 1024
"""Bodies up to this length are read with their row; longer ones when their turn comes."""
AHEAD_BYTES = 64 * 1024
"""Bodies of the deliveries behind a job's first one, all together, that are read with it."""

GIVEN_UP_ON = (
    "NOT (d.tries = 0 AND d.requeues = 0 AND d.due_seen > ? AND (d.attempts > 0 OR d.last_error IS NOT NULL))"
)
"""True of a first pending delivery that was not made pending again since then (milliseconds seen), or has been tried since."""
_rows_behind = msgspec.json.Decoder(list[tuple[int, str, str, int, int, int, int, int | None]])
DAMAGED = b""
"""The body of an event that the disk has changed: its bytes are not those that were stored, and are not sent."""

_DUE = f"""
    SELECT d.id, j.uid, j.id, e.event_id, e.type, c.url, c.key, d.lane, d.tries, d.requeues, e.created_at, d.due_seen,
           CASE WHEN length(e.body) <= {INLINE_BYTES} THEN e.body END, c.batch, e.sum, c.sum, length(e.body)
    FROM deliveries d JOIN events e ON e.seq = d.id JOIN jobs j ON j.n = d.job JOIN callbacks c ON c.job = d.job
"""
# Many rows come as one, their bodies joined: each row that is fetched lets go of the interpreter and has to wait for it again. The
# bodies of later deliveries, without room, are not read.
_BEHIND = """
    SELECT json_group_array(json_array(
               k.id, e.event_id, e.type, k.tries, k.requeues, e.created_at, length(e.body), e.sum)),
           CAST(group_concat(CAST(e.body AS TEXT), '') AS BLOB)
    FROM (SELECT id, tries, requeues, sum(size) OVER (ORDER BY id) AS bytes, max(size) OVER (ORDER BY id) AS longest
          FROM (SELECT d.id, d.tries, d.requeues, length(e.body) AS size FROM deliveries d JOIN events e ON e.seq = d.id
                WHERE d.job = (SELECT job FROM deliveries WHERE id = ?1) AND d.state = 'pending' AND d.id > ?1
                ORDER BY d.id LIMIT ?2)) k
    JOIN events e ON e.seq = k.id WHERE k.bytes <= ?3 AND k.longest <= ?4
"""
_DELIVERY = """
    SELECT d.id, d.id, j.uid, j.id, e.event_id, e.type, c.url, d.lane, d.state, d.attempts, d.requeues, d.due_at,
           e.created_at, d.delivered_at, d.last_status, d.last_error
    FROM events e JOIN deliveries d ON d.id = e.seq JOIN jobs j ON j.n = e.job JOIN callbacks c ON c.job = e.job
"""


def set_callback(connection: sqlite3.Connection, number: int, callback: Callback) -> None:
    """Stores the callback of job `number`; a callback that is there already stays."""
    connection.execute(
        "INSERT INTO callbacks (job, url, key, lane, batch, sum) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (job) DO NOTHING",
        (
            number,
            callback.url,
            callback.key,
            callback.destination,
            callback.batch,
            checksum(callback.url, callback.key, callback.destination),
        ),
    )


def enqueue(connection: sqlite3.Connection, number: int, events: Iterable[StoredEvent], seen_ms: int) -> None:
    """Enqueues events of job `number` behind its others at the seen time `seen_ms`: as pending, as abandoned after a 410. Does nothing
    where the job has no callback.
    """
    callback = connection.execute("SELECT lane, stopped FROM callbacks WHERE job = ?", (number,)).fetchone()
    if callback is None:
        return
    destination, stopped = callback
    busy = stopped or first_pending(connection, number) is not None
    for event in events:
        kept = connection.execute(
            "INSERT INTO deliveries (id, job, lane, state, due_at, created_seen, due_seen) VALUES (?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (id) DO NOTHING",
            (
                event.seq,
                number,
                destination,
                "abandoned" if stopped else "pending",
                None if busy else to_micros(event.created_at),
                seen_ms,
                seen_ms,
            ),
        ).rowcount
        busy = busy or kept > 0


def first_pending(connection: sqlite3.Connection, number: int) -> int | None:
    """Returns the first pending delivery of job `number`, None where it has none."""
    row = connection.execute(
        "SELECT id FROM deliveries WHERE job = ? AND state = 'pending' ORDER BY id LIMIT 1", (number,)
    ).fetchone()
    return None if row is None else int(row[0])


def destinations(connection: sqlite3.Connection, after: str, limit: int) -> list[DestinationDue]:
    """Returns the destinations with pending deliveries in the order of their names, after `after`."""
    found: list[DestinationDue] = []
    while len(found) < limit:
        row = connection.execute(
            "SELECT lane, due_seen FROM deliveries WHERE due_at IS NOT NULL AND lane > ? ORDER BY lane, due_seen LIMIT 1",
            (after,),
        ).fetchone()
        if row is None:
            break
        after = row[0]
        found.append(DestinationDue(after, row[1]))
    return found


def expired_jobs(
    connection: sqlite3.Connection, destination: str, before_ms: int, untried_since_ms: int, limit: int
) -> list[str]:
    """Returns the uids of jobs of one destination whose first pending delivery was enqueued before `before_ms` was seen, those due
    longest first. Left out are those that were made pending again since `untried_since_ms` and not tried yet.
    """
    rows = connection.execute(
        "SELECT j.uid FROM deliveries d JOIN jobs j ON j.n = d.job"
        f" WHERE d.lane = ? AND d.due_at IS NOT NULL AND d.created_seen < ? AND {GIVEN_UP_ON} ORDER BY d.due_seen, d.id LIMIT ?",
        (destination, before_ms, untried_since_ms, limit),
    )
    return [row[0] for row in rows]


def due(connection: sqlite3.Connection, destination: str, limit: int, ahead: int = 0) -> list[Due]:
    """Returns the first pending delivery of each job of one destination, those due longest first, also those due later; each with
    up to `ahead` of those behind it.
    """
    # The numbers come out of the index alone; only what is returned is joined.
    rows = connection.execute(
        _DUE
        + " WHERE d.id IN (SELECT id FROM deliveries WHERE lane = ? AND due_at IS NOT NULL ORDER BY due_seen, id LIMIT ?)"
        " ORDER BY d.due_seen, d.id",
        (destination, limit),
    ).fetchall()
    return [_with_ahead(connection, _due(row), ahead) for row in rows]


def due_of(connection: sqlite3.Connection, uids: Sequence[str], ahead: int = 0) -> list[Due]:
    """Returns the first pending delivery of each of these jobs, where it has one, with up to `ahead` behind it."""
    found = []
    for uid in uids:
        number = connection.execute("SELECT n FROM jobs WHERE uid = ?", (uid,)).fetchone()
        first = None if number is None else first_pending(connection, number[0])
        if first is not None:
            found.append(due_by_id(connection, first, ahead))
    return found


def run(connection: sqlite3.Connection, delivery_id: int, limit: int, max_bytes: int) -> list[Due]:
    """Returns a pending delivery and those of its job behind it, each with its body: the first one whatever its length, more
    up to `limit` and `max_bytes` together. Empty where it is not pending.
    """
    row = connection.execute(_DUE + " WHERE d.id = ? AND d.state = 'pending'", (delivery_id,)).fetchone()
    if row is None:
        return []
    first = _due(row)
    if first.body is None:
        first = replace(first, body=body(connection, delivery_id))
    left = max_bytes - len(first.body or b"")
    return [first, *_behind(connection, first, limit - 1, left, max_bytes)]


def due_by_id(connection: sqlite3.Connection, delivery_id: int, ahead: int) -> Due:
    """Returns one delivery with up to `ahead` of those behind it."""
    row = connection.execute(_DUE + " WHERE d.id = ?", (delivery_id,)).fetchone()
    return _with_ahead(connection, _due(row), ahead)


def _with_ahead(connection: sqlite3.Connection, first: Due, limit: int) -> Due:
    # A batch is read when it is sent: by then the job may have more events.
    if limit <= 0 or first.batch:
        return first
    return replace(first, ahead=tuple(_behind(connection, first, limit, AHEAD_BYTES, INLINE_BYTES)))


def _behind(
    connection: sqlite3.Connection, first: Due, limit: int, max_bytes: int, longest: int
) -> list[Due]:
    packed, bodies = connection.execute(_BEHIND, (first.id, limit, max_bytes, longest)).fetchone()
    found, begin = [], 0
    for number, event_id, type_, tries, requeues, created, length, content_sum in _rows_behind.decode(packed):
        content = bodies[begin : begin + length]
        begin += length
        found.append(
            Due(
                number,
                first.job_uid,
                first.job_id,
                event_id,
                type_,
                first.url,
                first.key,
                first.destination,
                tries,
                requeues,
                from_micros(created),
                first.due_ms,
                content if fits(content_sum, content) else DAMAGED,
                first.batch,
            )
        )
    found.sort(key=lambda due: due.id)  # SQL promises no order of what is joined to one row
    return found


def body(connection: sqlite3.Connection, delivery_id: int) -> bytes | None:
    """Returns the body of one delivery, None where it is gone; `DAMAGED` where its bytes are not those that were stored."""
    row = connection.execute(
        "SELECT e.body, e.sum FROM deliveries d JOIN events e ON e.seq = d.id WHERE d.id = ?", (delivery_id,)
    ).fetchone()
    if row is None:
        return None
    return bytes(row[0]) if fits(row[1], row[0]) else DAMAGED


def delivery(connection: sqlite3.Connection, delivery_id: int) -> Delivery | None:
    """Returns one delivery."""
    row = connection.execute(_DELIVERY + " WHERE e.seq = ?", (delivery_id,)).fetchone()
    return None if row is None else _delivery(row)


def deliveries(connection: sqlite3.Connection, uid: str, after: int, limit: int) -> list[Delivery]:
    """Returns the deliveries of one job with an id above `after`, oldest first."""
    rows = connection.execute(
        _DELIVERY + " WHERE e.job = (SELECT n FROM jobs WHERE uid = ?) AND e.seq > ? ORDER BY e.seq LIMIT ?",
        (uid, after, limit),
    )
    return [_delivery(row) for row in rows]


def _due(row: tuple[Any, ...]) -> Due:
    # A damaged callback may be somebody else's address: nothing is sent there.
    content: bytes | None = row[12] if fits(row[15], row[5], row[6], row[7]) else DAMAGED
    if content is not None and not fits(row[14], content):
        content = DAMAGED
    values = (*row[:10], from_micros(row[10]), row[11], content, bool(row[13]), (), row[16])
    return Due(*values)


def _delivery(row: tuple[Any, ...]) -> Delivery:
    values = (*row[:11], optional_time(row[11]), from_micros(row[12]), optional_time(row[13]), *row[14:])
    return Delivery(*values)
