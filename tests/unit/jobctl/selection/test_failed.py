"""The failed jobs of a set or label: each once, and none that was retried already."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobctl.selection.failed import has_failed, retries_of, to_retry

Job = dict[str, Any]


def job(job_id: str, status: str = "failed", **fields: Any) -> Job:
    return {"id": job_id, "status": status, **fields}


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (job("a"), True), (job("a", "completed"), False), (job("a", "running"), False), (job("a", "cancelled"), False),
        (job("a", "cancelled", reason="dependency"), True), (job("a", "unreadable"), False),
    ],
)  # fmt: skip
def test_a_job_has_failed_by_itself_or_with_a_dependency(one: Job, expected: bool) -> None:
    assert has_failed(one) is expected


def test_a_retried_job_is_left_out_and_its_failed_retry_is_not() -> None:
    jobs = [
        job("a-retry-2", retriedFrom="a-retry-1"), job("b-retry-1", "running", retriedFrom="b"),
        job("a-retry-1", retriedFrom="a"), job("c", "completed"), job("d"), job("b"), job("a"), job("d", "completed"),
    ]  # fmt: skip
    assert [each["id"] for each in to_retry(jobs)] == ["d", "a-retry-2"]
    assert retries_of(jobs) == {"a-retry-1": "a-retry-2", "b": "b-retry-1", "a": "a-retry-1"}


JOBS = st.lists(
    st.builds(
        lambda job_id, status, origin: job(job_id, status, retriedFrom=origin),
        st.sampled_from("abcd"),
        st.sampled_from(["failed", "completed", "running"]),
        st.sampled_from("abcd") | st.none(),
    ),
    max_size=12,
)


@given(JOBS)
def test_each_id_is_retried_once_at_most(jobs: list[Job]) -> None:
    ids = [each["id"] for each in to_retry(jobs)]
    assert len(ids) == len(set(ids))
    assert not set(ids) & {each["retriedFrom"] for each in jobs}
    newest = {each["id"]: each for each in reversed(jobs)}
    assert all(has_failed(newest[job_id]) for job_id in ids)
