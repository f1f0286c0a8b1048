"""The ids of retries: readable, valid, and different from all ids in use."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobd.wire.retry_ids import next_retry_id, retry_prefix
from jobd.wire.validation.limits import MAX_ID
from jobd.wire.validation.names import id_problem

IDS = st.from_regex(r"\A[a-zA-Z0-9][a-zA-Z0-9_-]{0,127}\Z")
RETRIES = st.builds(
    "{}-retry-{}".format, st.sampled_from(["a", "a-retry-1", "b_"]), st.integers(0, 10**10).map(str)
)


@pytest.mark.parametrize(
    ("job_id", "used", "expected"),
    [
        ("train", [], "train-retry-1"),
        ("train", ["train-retry-1", "train-retry-2"], "train-retry-3"),
        ("train", ["train-retry-9", "train-retry-1"], "train-retry-10"),
        ("train-retry-2", ["train-retry-2"], "train-retry-3"),
        ("train", ["train-retry-x", "train-retry-", "training-retry-7", "train-retry-01"], "train-retry-1"),
        ("train-retry-0", [], "train-retry-0-retry-1"),
        ("-retry-1", [], "-retry-1-retry-1"),
    ],
)
def test_a_retry_has_the_next_number(job_id: str, used: list[str], expected: str) -> None:
    assert next_retry_id(retry_prefix(job_id), used) == expected


@given(IDS | RETRIES, st.lists(IDS | RETRIES))
def test_the_id_of_a_retry_is_valid_and_new(job_id: str, used: list[str]) -> None:
    prefix = retry_prefix(job_id)
    made = next_retry_id(prefix, used)
    assert id_problem(made) is None
    assert made.startswith(prefix)
    assert made not in used


@given(IDS | RETRIES, st.integers(1, 50))
def test_a_retry_of_a_retry_counts_on_under_the_same_name(job_id: str, count: int) -> None:
    prefix = retry_prefix(job_id)
    used: list[str] = []
    for _ in range(count):
        used.append(next_retry_id(retry_prefix(used[-1] if used else job_id), used))
    assert used == [f"{prefix}{number}" for number in range(1, count + 1)]


def test_the_longest_id_is_cut() -> None:
    made = next_retry_id(retry_prefix("x" * MAX_ID), [])
    assert made.endswith("x-retry-1")
    assert len(made) <= MAX_ID
