"""One transition of a job in SQL: the job's row, its events with their deliveries, and its log, all in the caller's transaction.

`jobs/jobs.py`, `events.py`, `logs.py` and `outbox.py` have the statements of the tables.
"""

import sqlite3

from jobd.store.tables import events, logs, outbox
from jobd.store.tables.jobs import jobs
from jobd.store.tables.rows import StoredEvent, Transition


def commit(connection: sqlite3.Connection, transition: Transition, observed_ms: int) -> list[StoredEvent]:
    """Writes one transition, without the events and chunks that exist.

    Raises:
        IdTaken: `claim_id`, and the id belongs to another row.
        NoSuchJob: not `claim_id`, and the row does not exist; or that of `also`.
        StaleJob: not `claim_id`, and the row has changed since it was read; or that of `also`.
    """
    job = transition.job
    write = jobs.insert if transition.claim_id else jobs.update
    number = write(connection, job, observed_ms)
    if transition.also is not None:
        jobs.update(connection, transition.also, observed_ms)
    if transition.callback is not None:
        outbox.set_callback(connection, number, transition.callback)
    stored = [
        StoredEvent(
            seq=events.insert(connection, number, event.event_id, event.type, event.body, event.created_at),
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
        outbox.enqueue(connection, number, wanted, observed_ms)
    logs.insert(connection, number, transition.logs)
    return stored
