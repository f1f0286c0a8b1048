"""What became of deliveries, in SQL: delivered, put off, parked or abandoned, and made pending again by a replay.

Pure functions of a connection. Keeps the outbox's rule with every change: of each job exactly the first pending delivery is due.
Settles many deliveries in few statements. `events/delivery/policies/retry_policy.py` decides what is a retry and what is parked.
"""
# ruff: noqa: S608 - only placeholders and clauses of this file are put together; every value is a parameter

import sqlite3
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import takewhile
from typing import TypeVar

from jobd.store.sqlite.timestamps import from_micros, to_micros
from jobd.store.tables import outbox
from jobd.store.tables.delivery_rows import Delivery, Settled, Settlement
from jobd.store.tables.outbox import due_by_id

T = TypeVar("T")

MAX_ERROR = 500
SETTLED_AT_ONCE = 100


def settle(connection: sqlite3.Connection, settlements: Sequence[Settlement], seen_ms: int) -> list[Settled]:
    """Stores what became of pending deliveries, at the seen time `seen_ms`. A delivery that is not pending any more stays as it is, but a
    parked or abandoned one that its receiver took is delivered. Returns what follows each: nothing after a retry or a no-op.
    """
    jobs = _pending_jobs(connection, settlements)
    _deliver(
        connection, [one for one in settlements if one.outcome == "delivered" and one.delivery_id in jobs]
    )
    for one in settlements:
        if one.outcome == "delivered" and one.delivery_id not in jobs:
            _deliver_late(connection, one)
    abandoned: dict[int, tuple[int, str | None]] = {}
    for one in settlements:
        if one.delivery_id not in jobs or one.outcome == "delivered":
            continue
        if one.outcome in ("retry", "requeue"):
            _put_off(connection, one, seen_ms)
            continue
        _end(connection, one)
        if one.outcome == "abandon":
            count, _ = abandoned.get(jobs[one.delivery_id], (0, None))
            abandoned[jobs[one.delivery_id]] = (count + 1, _error(one))
    stopped = {job: count + _abandon(connection, job, error) for job, (count, error) in abandoned.items()}
    ended = [one for one in settlements if one.delivery_id in jobs and one.outcome in ("delivered", "park")]
    at = ended[-1].at if ended else None
    firsts = _put_first(connection, {jobs[one.delivery_id] for one in ended}, at, seen_ms)
    found: list[Settled] = []
    for one in settlements:
        job = jobs.get(one.delivery_id)
        if job is not None and one.outcome in ("delivered", "park") and job in firsts and one.follow:
            found.append(Settled(due_by_id(connection, firsts[job], one.ahead)))
        else:
            gone = stopped.pop(job, 0) if job is not None and one.outcome == "abandon" else 0
            found.append(Settled(None, gone))
    return found


def _pending_jobs(connection: sqlite3.Connection, settlements: Sequence[Settlement]) -> dict[int, int]:
    """Returns the number of the job of each delivery that is pending still, by delivery."""
    found: dict[int, int] = {}
    for part in _parts(settlements):
        marks = ",".join("?" * len(part))
        packed = connection.execute(
            f"SELECT group_concat(id || ' ' || job) FROM deliveries WHERE id IN ({marks}) AND state = 'pending'",
            [one.delivery_id for one in part],
        ).fetchone()[0]
        found |= _unpacked(packed)
    return found


def _parts(of: Sequence[T]) -> Iterator[Sequence[T]]:
    for begin in range(0, len(of), SETTLED_AT_ONCE):
        yield of[begin : begin + SETTLED_AT_ONCE]


def _deliver(connection: sqlite3.Connection, settlements: Sequence[Settlement]) -> None:
    # One statement for many rows: each statement lets go of the interpreter and has to wait for it again.
    for part in _parts(settlements):
        rows = ",".join(["(?,?,?)"] * len(part))
        connection.execute(
            f"WITH settled (id, at, status) AS (VALUES {rows})"
            " UPDATE deliveries SET state = 'delivered', due_at = NULL, attempts = attempts + 1, last_error = NULL,"
            " last_status = settled.status, delivered_at = settled.at FROM settled WHERE deliveries.id = settled.id",
            [value for one in part for value in (one.delivery_id, to_micros(one.at), one.status)],
        )


def _deliver_late(connection: sqlite3.Connection, one: Settlement) -> None:
    # The delivery was given up while its request was under way: it expired, or a request from before a restart settled it. The job's
    # next delivery is due already.
    connection.execute(
        "UPDATE deliveries SET state = 'delivered', attempts = attempts + 1, last_error = NULL, last_status = ?,"
        " delivered_at = ? WHERE id = ? AND state IN ('parked', 'abandoned')",
        (one.status, to_micros(one.at), one.delivery_id),
    )


def _put_off(connection: sqlite3.Connection, one: Settlement, seen_ms: int) -> None:
    requeued, sent = one.outcome == "requeue", int(one.sent)
    due_at = to_micros(one.next_attempt_at or one.at)
    due_seen = seen_ms if one.next_ms is None else one.next_ms
    connection.execute(
        "UPDATE deliveries SET attempts = attempts + ?, tries = CASE WHEN ? THEN 0 ELSE tries + ? END,"
        " requeues = requeues + ?, last_status = ?, last_error = ?,"
        " due_at = CASE WHEN due_at IS NULL THEN NULL ELSE ? END, due_seen = ? WHERE id = ?",
        (sent, requeued, sent, requeued, one.status, _error(one), due_at, due_seen, one.delivery_id),
    )


def _end(connection: sqlite3.Connection, one: Settlement) -> None:
    state = {"park": "parked", "abandon": "abandoned"}[one.outcome]
    connection.execute(
        "UPDATE deliveries SET state = ?, due_at = NULL, attempts = attempts + ?, last_status = ?, last_error = ?"
        " WHERE id = ?",
        (state, int(one.sent), one.status, _error(one), one.delivery_id),
    )


def _error(one: Settlement) -> str | None:
    return one.error[:MAX_ERROR] if one.error else None


def _abandon(connection: sqlite3.Connection, number: int, error: str | None) -> int:
    connection.execute("UPDATE callbacks SET stopped = 1 WHERE job = ?", (number,))
    return connection.execute(
        "UPDATE deliveries SET state = 'abandoned', due_at = NULL, last_error = ? WHERE job = ? AND state = 'pending'",
        (error, number),
    ).rowcount


def _put_first(
    connection: sqlite3.Connection, jobs: set[int], at: datetime | None, seen_ms: int
) -> dict[int, int]:
    """Makes the first pending delivery of each of these jobs due where it is not due yet; returns those, by job."""
    firsts: dict[int, int] = {}
    if at is None:
        return firsts
    for part in _parts(sorted(jobs)):
        firsts |= _first_pending(connection, part)
    for part in _parts(list(firsts.values())):
        marks = ",".join("?" * len(part))
        connection.execute(
            f"UPDATE deliveries SET due_at = ?, due_seen = ? WHERE id IN ({marks}) AND due_at IS NULL",
            (to_micros(at), seen_ms, *part),
        )
    return firsts


def _first_pending(connection: sqlite3.Connection, jobs: Sequence[int]) -> dict[int, int]:
    """Returns the first pending delivery of each of these jobs that has one."""
    rows = ",".join(["(?)"] * len(jobs))
    packed = connection.execute(
        f"WITH wanted (n) AS (VALUES {rows}) SELECT group_concat(n || ' ' || first) FROM (SELECT n, (SELECT id FROM deliveries"
        " WHERE job = n AND state = 'pending' ORDER BY id LIMIT 1) AS first FROM wanted) WHERE first IS NOT NULL",
        jobs,
    ).fetchone()[0]
    return _unpacked(packed)


def _unpacked(packed: str | None) -> dict[int, int]:
    # Many small rows come as one: each row that is fetched lets go of the interpreter and has to wait for it again.
    pairs = (pair.partition(" ") for pair in packed.split(",")) if packed else ()
    return {int(key): int(value) for key, _, value in pairs}


def expire(
    connection: sqlite3.Connection,
    uids: Sequence[str],
    before_ms: int,
    untried_since_ms: int,
    at: datetime,
    error: str,
    limit: int,
    seen_ms: int,
) -> int:
    """Parks pending deliveries of these jobs that were enqueued before `before_ms` was seen, at most `limit`; returns how many. Of each
    job the first ones are parked, so that none is parked before an earlier one, and none where `outbox.expired_jobs` leaves the job
    out. The next delivery takes over the time at which the first was due, if that is over at the seen time `seen_ms`: it has waited as
    long.
    """
    count = 0
    for uid in uids:
        if count >= limit:
            break
        row = connection.execute(
            "SELECT d.job, d.due_at, d.due_seen FROM deliveries d JOIN jobs j ON j.n = d.job"
            f" WHERE j.uid = ? AND d.due_at IS NOT NULL AND d.state = 'pending' AND {outbox.GIVEN_UP_ON} ORDER BY d.id LIMIT 1",
            (uid, untried_since_ms),
        ).fetchone()
        if row is None:
            continue
        job, due_at, due_seen = row
        last = _last_before(connection, job, before_ms, limit - count)
        count += connection.execute(
            "UPDATE deliveries SET state = 'parked', due_at = NULL, last_error = ? WHERE job = ? AND state = 'pending' AND id <= ?",
            (error[:MAX_ERROR], job, last),
        ).rowcount
        _put_first(connection, {job}, min(from_micros(due_at), at), min(due_seen, seen_ms))
    return count


def _last_before(connection: sqlite3.Connection, job: int, before_ms: int, limit: int) -> int:
    """Returns the last of the job's first pending deliveries, at most `limit`, that are all older; 0 where the first is not."""
    rows = connection.execute(
        "SELECT id, created_seen FROM deliveries WHERE job = ? AND state = 'pending' ORDER BY id LIMIT ?",
        (job, limit),
    )
    older = takewhile(lambda row: row[1] < before_ms, rows)
    return max((delivery_id for delivery_id, _ in older), default=0)


def replay(connection: sqlite3.Connection, delivery_id: int, at: datetime, seen_ms: int) -> Delivery | None:
    """Makes a delivery pending and due again, whatever its state, with tries and requeues from 0; opens a callback that a 410 had
    stopped. Returns the delivery, None where there is none.
    """
    row = connection.execute("SELECT job FROM deliveries WHERE id = ?", (delivery_id,)).fetchone()
    if row is None:
        return None
    _make_pending(connection, row[0], "id = ?", delivery_id, at, seen_ms)
    return outbox.delivery(connection, delivery_id)


def replay_all(connection: sqlite3.Connection, uid: str, at: datetime, seen_ms: int) -> int:
    """Makes all parked and abandoned deliveries of a job pending again, as `replay` does; returns how many."""
    row = connection.execute("SELECT n FROM jobs WHERE uid = ?", (uid,)).fetchone()
    if row is None:
        return 0
    chosen = "id IN (SELECT seq FROM events WHERE job = ?) AND state IN ('parked', 'abandoned')"
    return _make_pending(connection, row[0], chosen, row[0], at, seen_ms)


def _make_pending(
    connection: sqlite3.Connection, job: int, chosen: str, value: int, at: datetime, seen_ms: int
) -> int:
    count = connection.execute(
        "UPDATE deliveries SET state = 'pending', due_at = NULL, tries = 0, requeues = 0, delivered_at = NULL"
        f" WHERE {chosen}",
        (value,),
    ).rowcount
    if count:
        connection.execute("UPDATE callbacks SET stopped = 0 WHERE job = ?", (job,))
        _put_first(connection, {job}, at, seen_ms)
        connection.execute(
            "UPDATE deliveries SET due_at = NULL WHERE job = ?1 AND state = 'pending' AND due_at IS NOT NULL AND id >"
            " (SELECT min(id) FROM deliveries WHERE job = ?1 AND state = 'pending')",
            (job,),
        )
    return count
