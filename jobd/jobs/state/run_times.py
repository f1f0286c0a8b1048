"""The moments of a job that people read: admitted, started, exited, finished. Pure.

Owns their order. Whatever clocks the facts carry, in every record, event and answer holds

    created <= admitted <= started <= exited <= finished

and an attempt is admitted after the one before has exited. jobd's clock counts; the engine's may be another machine's. A start lies
between the moment at which jobd asks for the start and the moment at which jobd sees it; how long the worker ran is taken from the engine's clock alone, since
both of its times are by that. What is waited for (`awaited_times.py`) has nothing to do with these.
"""

from datetime import datetime, timedelta

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


def began(asked_at: datetime, at: datetime, now: datetime) -> datetime:
    """Returns when, by jobd's clock, a worker began to run whose start was asked for and is told by the engine as `at`."""
    return min(max(at, asked_at), now)


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


def durations(record: Record) -> dict[str, float]:
    """Returns the seconds that the job spent queued, preparing, running, finishing, and in all, as far as known."""
    spans = {
        "queued": (record.created_at, record.admitted_at),
        "preparing": (record.admitted_at, record.started_at),
        "running": (record.started_at, record.exited_at),
        "finishing": (record.exited_at, record.finished_at),
        "total": (record.created_at, record.finished_at),
    }
    return {name: s for name, (a, b) in spans.items() if (s := seconds_between(a, b)) is not None}


def seconds_between(start: datetime | None, end: datetime | None) -> float | None:
    """Returns the seconds from `start` to `end`, or None where one is not known; never negative."""
    if start is None or end is None:
        return None
    return max(0.0, round((end - start) / timedelta(seconds=1), 6))
