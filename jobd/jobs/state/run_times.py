"""The moments of a job that people read: admitted, started, exited, finished. Pure.

Owns their order. Whatever clocks the facts carry, in every record, event and answer holds

    created <= admitted <= started <= exited <= finished

and an attempt is admitted after the one before has exited. jobd's clock counts; the engine's may be another machine's. A start lies
between jobd's wish for it and the moment at which it was seen; how long the worker ran is taken from the engine's clock alone, since
both of its times are by that. What is waited for (`machine.AWAITED`) has nothing to do with these.
"""

from datetime import datetime

from jobd.jobs.port.model import ContainerFacts
from jobd.jobs.state.record import Record


def latest(record: Record) -> datetime:
    """Returns the latest moment that the record holds: nothing that comes is told to have been before it."""
    earlier = [attempt.exited_at or attempt.started_at for attempt in record.earlier]
    known = (
        record.created_at,
        *earlier,
        record.admitted_at,
        record.started_at,
        record.exited_at,
        record.finished_at,
    )
    return max(moment for moment in known if moment is not None)


def not_before(record: Record, now: datetime) -> datetime:
    """Returns `now`, or, where the wall clock was set back, the latest moment of the record."""
    return max(now, latest(record))


def began(record: Record, at: datetime, now: datetime) -> datetime:
    """Returns when, by jobd's clock, a worker began to run whose start the engine tells as `at`."""
    return min(max(at, record.start_intended_at or at), now)


def exited(record: Record, worker: ContainerFacts | None, now: datetime) -> datetime:
    """Returns when the worker of this record ended; without facts of its end, now. The worker's `started_at` and `finished_at` are by
    one clock, whichever that is.
    """
    low = latest(record)
    high = max(now, low)
    if worker is None or worker.finished_at is None:
        return high
    at = worker.finished_at
    if record.started_at is not None and worker.started_at is not None:
        at = record.started_at + (worker.finished_at - worker.started_at)
    return min(max(at, low), high)
