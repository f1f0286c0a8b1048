"""Ended jobs in numbers: how many, how they ended, and for how long they were in each phase.

Owns the bounds: so many jobs, keys and reasons. Rows come from the store's reader threads and are counted there: the event loop does
other work meanwhile. Percentiles are those of all counted jobs, without an approximation.
"""

import asyncio
import math
from array import array
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol

from jobd.clock import Clock
from jobd.store.tables.rows import EndedJob
from jobd.wire.event import rfc3339
from jobd.wire.views.statistics import Interval, Numbers, NumbersOfKey, Statistics, Times

STATUSES = ("completed", "failed", "cancelled")
PHASES = ("waiting", "pulling", "inputs", "running", "outputs")
"""The names of `EndedJob.spent` in the response."""
MAX_JOBS = 100_000
"""So many ended jobs are counted, the latest; a job counts once for each of its keys."""
MAX_KEYS = 1000
MAX_REASONS = 50
INTERVALS = 60
_SECOND = 1e6


class Ends(Protocol):
    """The ends of jobs in the store."""

    async def each_ended(self, take: Callable[[EndedJob], bool], by: str, since: datetime | None) -> None:
        """Gives the jobs that have ended since a time to `take`, the latest first, until `take` returns False."""
        ...

    async def oldest_end(self, since: datetime | None) -> datetime | None:
        """Returns the time of the oldest end that `each_ended` finds, None without any."""
        ...


class StatisticsService:
    """Counts the ended jobs of the store."""

    def __init__(self, store: Ends, clock: Clock, retention_s: float) -> None:
        self._store = store
        self._clock = clock
        self._retention_s = retention_s
        self._counting = asyncio.Lock()
        """One count at a time: each needs memory for its times."""

    async def get(self, by: str, since: datetime | None, limit: int) -> Statistics:
        """Returns the numbers of the jobs that have ended since a time; by key those of the `limit` keys with the most jobs. Raises StoreError."""
        async with self._counting:
            oldest = await self._store.oldest_end(since)
            now = self._clock.now()
            count = Count(since or oldest or now, now)
            await self._store.each_ended(count.take, by, since)
            return await asyncio.to_thread(count.result, by, since, self._retention_s, limit)


class Sample:
    """Some ended jobs: their number by status and reason, and the microseconds of each phase."""

    def __init__(self) -> None:
        self.jobs = 0
        self._statuses = dict.fromkeys(STATUSES, 0)
        self._reasons: Counter[str] = Counter()
        self._spent: list[array[int]] = [array("q") for _ in PHASES]

    def add(self, job: EndedJob) -> None:
        """Adds a job."""
        self.jobs += 1
        self._statuses[job.status] += 1
        if job.status == "failed" and job.reason:
            known = job.reason in self._reasons or len(self._reasons) < MAX_REASONS
            self._reasons[job.reason if known else "other"] += 1
        for times, spent in zip(self._spent, job.spent, strict=True):
            if spent is not None:
                times.append(spent)

    def merge(self, other: "Sample") -> None:
        """Adds the jobs of another sample."""
        self.jobs += other.jobs
        for status, count in other._statuses.items():
            self._statuses[status] += count
        for reason, count in other._reasons.items():
            known = reason in self._reasons or len(self._reasons) < MAX_REASONS
            self._reasons[reason if known else "other"] += count
        for times, more in zip(self._spent, other._spent, strict=True):
            times.extend(more)

    def numbers(self) -> Numbers:
        """Returns the numbers."""
        completed, failed = self._statuses["completed"], self._statuses["failed"]
        return Numbers(
            jobs=self.jobs,
            completed=completed,
            failed=failed,
            cancelled=self._statuses["cancelled"],
            success_rate=completed / (completed + failed) if completed + failed else None,
            reasons=dict(self._reasons.most_common()),
            **{name: _times(spent) for name, spent in zip(PHASES, self._spent, strict=True)},
        )


class Count:
    """The jobs of one request. `take` runs on a reader thread, `result` on another thread after that."""

    def __init__(self, start: datetime, end: datetime) -> None:
        self._start, self._end = start, end
        self._length = max((end - start) / INTERVALS, timedelta(seconds=1))
        self._oldest: datetime | None = None
        self._total = Sample()
        self._keys: dict[str, Sample] = {}
        self._others = Sample()
        self._intervals = tuple(dict.fromkeys(STATUSES, 0) for _ in range(INTERVALS))
        self._counted = 0
        self._truncated = False

    def take(self, job: EndedJob) -> bool:
        """Counts a job; False if there were too many: this job is not counted. A damaged row may have any status, and is left out."""
        if job.status not in STATUSES:
            return True
        self._counted += max(1, len(job.keys))
        if self._counted > MAX_JOBS:
            self._truncated = True
            return False
        self._total.add(job)
        self._oldest = job.finished_at
        number = (job.finished_at - self._start) // self._length
        self._intervals[min(max(number, 0), INTERVALS - 1)][job.status] += 1
        for key in job.keys:
            self._sample(key).add(job)
        return True

    def _sample(self, key: str) -> Sample:
        found = self._keys.get(key)
        if found is None:
            if len(self._keys) >= MAX_KEYS:
                return self._others
            found = self._keys[key] = Sample()
        return found

    def result(self, by: str, since: datetime | None, retention_s: float, limit: int) -> Statistics:
        """Returns the response."""
        keys = sorted(self._keys.items(), key=lambda item: (-item[1].jobs, item[0]))
        for _, sample in keys[limit:]:
            self._others.merge(sample)
        return Statistics(
            since=None if since is None else rfc3339(since),
            until=rfc3339(self._end),
            oldest=None if self._oldest is None else rfc3339(self._oldest),
            truncated=self._truncated,
            retention_seconds=retention_s,
            total=self._total.numbers(),
            intervals=[
                Interval(
                    start=rfc3339(self._start + number * self._length),
                    completed=statuses["completed"],
                    failed=statuses["failed"],
                    cancelled=statuses["cancelled"],
                )
                for number, statuses in enumerate(self._intervals)
            ],
            by=by or None,
            groups=[_of_key(key, sample.numbers()) for key, sample in keys[:limit]] if by else None,
            others=self._others.numbers() if self._others.jobs else None,
        )


def _of_key(key: str, numbers: Numbers) -> NumbersOfKey:
    return NumbersOfKey(key=key, **{name: getattr(numbers, name) for name in numbers.__struct_fields__})


def _times(spent: "array[int]") -> Times | None:
    if not spent:
        return None
    found = sorted(spent)

    def percentile(percent: int) -> float:
        return found[math.ceil(percent * len(found) / 100) - 1] / _SECOND

    return Times(
        jobs=len(found),
        p50=percentile(50),
        p90=percentile(90),
        p99=percentile(99),
        max=found[-1] / _SECOND,
        total=sum(found) / _SECOND,
    )
