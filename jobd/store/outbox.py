"""The outbox, in SQL: which deliveries are due, and what became of them.

Pure functions of a connection. Keeps one rule: of each job exactly the first pending delivery has a `due_at`, so
order per job needs no look at what waits behind it. What counts as a failure is the dispatcher's knowledge.
"""
# ruff: noqa: S608 - only column lists and clauses of this file are put together; every value is a parameter

import sqlite3
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from jobd.store.moments import from_micros, optional_micros, optional_moment, to_micros
from jobd.store.rows import Callback, Delivery, Due, LaneDue, Settled, Settlement, StoredEvent

INLINE_BYTES = 16 * 1024
"""Bodies up to this length come with the row; longer ones are read when their turn comes."""
MAX_ERROR = 500

_DUE = f"""
    SELECT d.id, j.uid, j.id, e.event_id, e.type, c.url, c.key, d.lane, d.tries, d.requeues, e.created_at, d.due_at,
           CASE WHEN length(e.body) <= {INLINE_BYTES} THEN e.body END
    FROM deliveries d JOIN events e ON e.seq = d.id JOIN jobs j ON j.n = d.job JOIN callbacks c ON c.job = d.job
"""
_DELIVERY = """
    SELECT d.id, d.id, j.uid, j.id, e.event_id, e.type, c.url, d.lane, d.state, d.attempts, d.requeues, d.due_at,
           e.created_at, d.delivered_at, d.last_status, d.last_error
    FROM events e JOIN deliveries d ON d.id = e.seq JOIN jobs j ON j.n = e.job JOIN callbacks c ON c.job = e.job
"""


def set_callback(connection: sqlite3.Connection, number: int, callback: Callback) -> None:
    """Gives job `number` its callback; one that it has already stays."""
    connection.execute(
        "INSERT INTO callbacks (job, url, key, lane) VALUES (?, ?, ?, ?) ON CONFLICT (job) DO NOTHING",
        (number, callback.url, callback.key, callback.lane),
    )


def enqueue(connection: sqlite3.Connection, number: int, events: Iterable[StoredEvent]) -> None:
    """Puts events of job `number` behind its others. Without a callback there is nothing to do; after a 410 they
    are kept as abandoned.
    """
    callback = connection.execute("SELECT lane, stopped FROM callbacks WHERE job = ?", (number,)).fetchone()
    if callback is None:
        return
    lane, stopped = callback
    busy = stopped or _first_pending(connection, number) is not None
    for event in events:
        kept = connection.execute(
            "INSERT INTO deliveries (id, job, lane, state, due_at) VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
            (
                event.seq,
                number,
                lane,
                "abandoned" if stopped else "pending",
                None if busy else to_micros(event.created_at),
            ),
        ).rowcount
        busy = busy or kept > 0


def _first_pending(connection: sqlite3.Connection, number: int) -> int | None:
    row = connection.execute(
        "SELECT id FROM deliveries WHERE job = ? AND state = 'pending' ORDER BY id LIMIT 1", (number,)
    ).fetchone()
    return None if row is None else int(row[0])


def lanes(connection: sqlite3.Connection, after: str, limit: int) -> list[LaneDue]:
    """Returns the lanes with pending deliveries in the order of their names, after `after`."""
    found: list[LaneDue] = []
    while len(found) < limit:
        row = connection.execute(
            "SELECT lane, due_at FROM deliveries WHERE due_at IS NOT NULL AND lane > ? ORDER BY lane, due_at LIMIT 1",
            (after,),
        ).fetchone()
        if row is None:
            break
        after = row[0]
        found.append(LaneDue(after, from_micros(row[1])))
    return found


def due(connection: sqlite3.Connection, lane: str, limit: int) -> list[Due]:
    """Returns the first pending delivery of each job of one lane, those due longest first, also those due later."""
    # The numbers come out of the index alone; only what is returned is joined.
    rows = connection.execute(
        _DUE
        + " WHERE d.id IN (SELECT id FROM deliveries WHERE lane = ? AND due_at IS NOT NULL ORDER BY due_at, id LIMIT ?)"
        " ORDER BY d.due_at, d.id",
        (lane, limit),
    )
    return [_due(row) for row in rows]


def due_of(connection: sqlite3.Connection, uids: Sequence[str]) -> list[Due]:
    """Returns the first pending delivery of each of these jobs, where it has one."""
    found = []
    for uid in uids:
        number = connection.execute("SELECT n FROM jobs WHERE uid = ?", (uid,)).fetchone()
        first = None if number is None else _first_pending(connection, number[0])
        if first is not None:
            found.append(_due(connection.execute(_DUE + " WHERE d.id = ?", (first,)).fetchone()))
    return found


def body(connection: sqlite3.Connection, delivery_id: int) -> bytes | None:
    """Returns the body of one delivery, None where it is gone."""
    row = connection.execute(
        "SELECT e.body FROM deliveries d JOIN events e ON e.seq = d.id WHERE d.id = ?", (delivery_id,)
    ).fetchone()
    return None if row is None else bytes(row[0])


def settle(connection: sqlite3.Connection, settlement: Settlement) -> Settled:
    """Keeps what became of a pending delivery. One that is not pending any more, or gone, is left as it is."""
    row = connection.execute(
        "SELECT job FROM deliveries WHERE id = ? AND state = 'pending'", (settlement.delivery_id,)
    ).fetchone()
    if row is None:
        return Settled(None)
    number: int = row[0]
    error = settlement.error[:MAX_ERROR] if settlement.error else None
    sent = int(settlement.sent)
    if settlement.outcome in ("retry", "requeue"):
        again = settlement.outcome == "requeue"
        connection.execute(
            "UPDATE deliveries SET attempts = attempts + ?, tries = CASE WHEN ? THEN 0 ELSE tries + ? END,"
            " requeues = requeues + ?, last_status = ?, last_error = ?,"
            " due_at = CASE WHEN due_at IS NULL THEN NULL ELSE ? END WHERE id = ?",
            (
                sent,
                again,
                sent,
                again,
                settlement.status,
                error,
                optional_micros(settlement.next_attempt_at or settlement.at),
                settlement.delivery_id,
            ),
        )
        return Settled(None)
    state = {"delivered": "delivered", "park": "parked", "abandon": "abandoned"}[settlement.outcome]
    connection.execute(
        "UPDATE deliveries SET state = ?, due_at = NULL, attempts = attempts + ?, last_status = ?, last_error = ?,"
        " delivered_at = ? WHERE id = ?",
        (
            state,
            sent,
            settlement.status,
            error,
            to_micros(settlement.at) if state == "delivered" else None,
            settlement.delivery_id,
        ),
    )
    if settlement.outcome == "abandon":
        return Settled(None, 1 + _abandon(connection, number, error))
    first = _put_first(connection, number, settlement.at)
    if first is None:
        return Settled(None)
    return Settled(_due(connection.execute(_DUE + " WHERE d.id = ?", (first,)).fetchone()))


def _abandon(connection: sqlite3.Connection, number: int, error: str | None) -> int:
    connection.execute("UPDATE callbacks SET stopped = 1 WHERE job = ?", (number,))
    return connection.execute(
        "UPDATE deliveries SET state = 'abandoned', due_at = NULL, last_error = ? WHERE job = ? AND state = 'pending'",
        (error, number),
    ).rowcount


def _put_first(connection: sqlite3.Connection, number: int, at: datetime) -> int | None:
    """Makes the rule true again for one job; returns its first pending delivery."""
    first = _first_pending(connection, number)
    if first is not None:
        connection.execute(
            "UPDATE deliveries SET due_at = ifnull(due_at, ?) WHERE id = ?", (to_micros(at), first)
        )
        connection.execute(
            "UPDATE deliveries SET due_at = NULL"
            " WHERE job = ? AND state = 'pending' AND id > ? AND due_at IS NOT NULL",
            (number, first),
        )
    return first


def replay(connection: sqlite3.Connection, delivery_id: int, at: datetime) -> Delivery | None:
    """Makes a delivery pending and due again, whatever its state, with fresh counts of this round; opens a callback that
    a 410 had stopped. Returns it, None where there is none.
    """
    row = connection.execute("SELECT job FROM deliveries WHERE id = ?", (delivery_id,)).fetchone()
    if row is None:
        return None
    connection.execute(
        "UPDATE deliveries SET state = 'pending', due_at = NULL, tries = 0, requeues = 0, delivered_at = NULL WHERE id = ?",
        (delivery_id,),
    )
    connection.execute("UPDATE callbacks SET stopped = 0 WHERE job = ?", (row[0],))
    _put_first(connection, row[0], at)
    return delivery(connection, delivery_id)


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
    values = (*row[:10], from_micros(row[10]), from_micros(row[11]), row[12])
    return Due(*values)


def _delivery(row: tuple[Any, ...]) -> Delivery:
    values = (*row[:11], optional_moment(row[11]), from_micros(row[12]), optional_moment(row[13]), *row[14:])
    return Delivery(*values)
