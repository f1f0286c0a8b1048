"""Ended jobs in numbers: exact percentiles, success without cancelled jobs, and bounds of jobs and keys."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobd.jobs import statistics
from jobd.jobs.statistics import Count, Sample
from jobd.store.tables.rows import EndedJob
from jobd.wire.views.statistics import Statistics
from tests.unit.jobd.jobs.conftest import START

SECOND = 1_000_000


def job(n: int = 0, status: str = "completed", **fields: Any) -> EndedJob:
    reason = "exit" if status == "failed" else None
    spent = fields.get("spent", (n * SECOND, None, None, None, None))
    return EndedJob(START + timedelta(seconds=n), status, reason, spent, tuple(fields.get("keys", ())))


def counted(jobs: list[EndedJob], by: str = "", limit: int = 20) -> Statistics:
    count = Count(START, START + timedelta(seconds=60))
    for one in jobs:
        if not count.take(one):
            break
    return count.result(by, None, 60.0, limit)


def test_percentiles_are_times_of_jobs() -> None:
    waiting = counted([job(n) for n in range(1, 101)]).total.waiting
    assert waiting is not None
    assert (waiting.p50, waiting.p90, waiting.p99, waiting.max) == (50, 90, 99, 100)
    assert (waiting.jobs, waiting.total) == (100, 5050)
    (one,) = [counted([job(7)]).total.waiting]
    assert one is not None
    assert one.p50 == one.p99 == one.max == 7


@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=60))
def test_at_least_a_percentile_of_the_jobs_took_no_longer(spent: list[int]) -> None:
    times = counted([job(spent=(one, None, None, None, None)) for one in spent]).total.waiting
    assert times is not None
    for percent, value in ((50, times.p50), (90, times.p90), (99, times.p99)):
        assert value in {one / 1e6 for one in spent}
        assert sum(one / 1e6 <= value for one in spent) * 100 >= percent * len(spent)
        assert sum(one / 1e6 < value for one in spent) * 100 < percent * len(spent)


def test_a_phase_that_no_job_had_is_absent() -> None:
    total = counted([job(1)]).total
    assert (total.pulling, total.inputs, total.running, total.outputs) == (None,) * 4


def test_cancelled_jobs_do_not_count_for_the_success() -> None:
    total = counted(
        [job(status=status) for status in ("completed", "completed", "completed", "failed", "cancelled")]
    ).total
    assert (total.jobs, total.completed, total.failed, total.cancelled) == (5, 3, 1, 1)
    assert total.success_rate == 0.75
    assert total.reasons == {"exit": 1}
    assert counted([job(status="cancelled")]).total.success_rate is None


def test_the_keys_with_the_most_jobs_come_first_and_the_others_together() -> None:
    jobs = [job(n, keys=(f"i{n % 3 if n < 9 else n}",)) for n in range(11)]
    found = counted(jobs, "image", limit=2)
    assert found.groups is not None
    assert [(one.key, one.jobs) for one in found.groups] == [("i0", 3), ("i1", 3)]
    assert found.others is not None
    assert (found.others.jobs, found.total.jobs) == (5, 11)
    assert found.others.waiting is not None
    assert found.others.waiting.max == 10


def test_keys_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "MAX_KEYS", 3)
    found = counted([job(n, keys=(f"i{n}",)) for n in range(10)], "image")
    assert found.groups is not None
    assert [one.key for one in found.groups] == ["i0", "i1", "i2"]
    assert found.others is not None
    assert found.others.jobs == 7


def test_jobs_are_bounded_and_the_response_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "MAX_JOBS", 5)
    found = counted([job(n) for n in range(20, 0, -1)])
    assert (found.truncated, found.total.jobs, found.oldest) == (True, 5, "2030-01-01T00:00:16.000000Z")
    assert not counted([job(n) for n in range(5)]).truncated
    labelled = counted([job(n, keys=("a", "b")) for n in range(9)], "label")
    assert (labelled.truncated, labelled.total.jobs) == (True, 2)


def test_reasons_are_bounded() -> None:
    sample = Sample()
    for n in range(statistics.MAX_REASONS + 5):
        sample.add(EndedJob(START, "failed", f"r{n}", (None,) * 5, ()))
    other = Sample()
    other.add(EndedJob(START, "failed", "new", (None,) * 5, ()))
    sample.merge(other)
    reasons = sample.numbers().reasons
    assert (len(reasons), reasons["other"]) == (statistics.MAX_REASONS + 1, 6)


def test_intervals_have_every_job_once() -> None:
    found = counted([job(n, "failed" if n % 2 else "completed") for n in range(-3, 70)])
    assert len(found.intervals) == statistics.INTERVALS
    assert sum(one.completed + one.failed for one in found.intervals) == 73
    assert (found.intervals[1].start, found.intervals[1].failed) == ("2030-01-01T00:00:01.000000Z", 1)
