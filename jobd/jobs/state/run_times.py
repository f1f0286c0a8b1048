"""The times of a job that people read: admitted, started, exited, finished. Pure.

Owns their order. Whatever clocks the facts use, every record, event and answer has

    created <= admitted <= started <= exited <= finished

and an attempt is admitted after the previous attempt has exited. jobd's clock counts; the engine may run on another machine. A start
lies between jobd's request and jobd's observation of the start; the engine's clock alone gives a worker's run time, since both of its
times come from that clock. The times of `awaited_times.py` are independent of these.
"""

from datetime import datetime, timedelta

from jobd.jobs.port.model import ContainerFacts
from jobd.jobs.record.record import Record

SEEN_SOON = timedelta(seconds=10)
"""Within this time after the request the observation may count as the start: a time limit is at most so much longer."""


def latest(record: Record) -> datetime:
    """Returns the latest time in the record: no later event gets an earlier time."""
    earlier = [attempt.exited_at or attempt.started_at for attempt in record.earlier]
    known = (
        record.created_at,
        *earlier,
        record.admitted_at,
        record.started_at,
        record.exited_at,
        record.finished_at,
    )
    return max(time for time in known if time is not None)


def not_before(record: Record, now: datetime) -> datetime:
    """Returns `now`, or, if the wall clock was set back, the latest time in the record."""
    return max(now, latest(record))


def began(asked_at: datetime, at: datetime, now: datetime) -> datetime:
    """Returns when, by jobd's clock, a worker began to run; `at` is the start by the engine's clock.

    A time before the request or after the observation comes from a clock that differs from jobd's. Then the observation counts, so that
    no time limit ends early; after a longer absence of jobd the request counts, since the start came soon after it.
    """
    if asked_at <= at <= now:
        return at
    return now if now - asked_at <= SEEN_SOON else asked_at


def exited(record: Record, worker: ContainerFacts | None, now: datetime) -> datetime:
    """Returns when the worker of this record ended; without facts of its end, now. The worker's `started_at` and `finished_at` come
    from the same clock.
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
    """Returns the seconds that the job spent queued, preparing, running, finishing, and in total, if known; `paused`: for how much of
    `running` the worker was frozen, absent for 0.
    """
    spans = {
        "queued": (record.created_at, record.admitted_at),
        "preparing": (record.admitted_at, record.started_at),
        "running": (record.started_at, record.exited_at),
        "finishing": (record.exited_at, record.finished_at),
        "total": (record.created_at, record.finished_at),
    }
    known = {name: s for name, (a, b) in spans.items() if (s := seconds_between(a, b)) is not None}
    return {**known, "paused": round(record.frozen_s, 6)} if record.frozen_s else known


def seconds_between(start: datetime | None, end: datetime | None) -> float | None:
    """Returns the seconds from `start` to `end`, or None if either is unknown; never negative."""
    if start is None or end is None:
        return None
    return max(0.0, round((end - start) / timedelta(seconds=1), 6))
