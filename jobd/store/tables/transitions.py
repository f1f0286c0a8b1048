"""One transition of a job in SQL: its row, its events with their deliveries, and its log, all in the caller's transaction.

Owns what is written together; each table's statements are in `jobs.py`, `events.py`, `logs.py` and `outbox.py`.
"""

import sqlite3

from jobd.store.tables import events, jobs, logs, outbox
from jobd.store.tables.rows import StoredEvent, Transition


def commit(connection: sqlite3.Connection, transition: Transition, seen_ms: int) -> list[StoredEvent]:
    """Writes one transition. An event or a chunk that is there already is not written twice.

    Raises:
        IdTaken: `claim_id`, and another row holds the id.
        NoSuchJob: not `claim_id`, and there is no such row.
        StaleJob: not `claim_id`, and the row was changed since it was read.
    """
    job = transition.job
    number = (
        jobs.claim(connection, job, seen_ms) if transition.claim_id else jobs.update(connection, job, seen_ms)
    )
    if transition.callback is not None:
        outbox.set_callback(connection, number, transition.callback)
    stored = [
        StoredEvent(
            seq=events.keep(connection, number, event.event_id, event.type, event.body, event.created_at),
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
        outbox.enqueue(connection, number, wanted, seen_ms)
    logs.keep(connection, number, transition.logs)
    return stored
