"""The dependencies of retries: what was retried is named by its new id."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobctl.commands.jobs.retry import renamed_after, renamed_sources

Job = dict[str, Any]


def job(*after: str, status: str = "failed", **fields: Any) -> Job:
    return {"id": "b", "status": status, "after": [{"job": one} for one in after], **fields}


@pytest.mark.parametrize(
    ("old", "newer", "expected"),
    [
        (job(), {"a": "a-retry-1"}, None),
        (job("a"), {}, None),
        (job("a"), {"c": "c-retry-1"}, None),
        (job("a", "c"), {"a": "a-retry-1"}, ["a-retry-1"]),
        (job("a", "c", status="cancelled", reason="dependency"), {"a": "a-retry-1"}, ["a-retry-1", "c"]),
        (job("a", "c", status="cancelled", startedAt="2030-01-01T00:00:00Z"), {"a": "a-retry-1"}, ["a-retry-1"]),
        (job("a"), {"a": "a-retry-1", "a-retry-1": "a-retry-2"}, ["a-retry-2"]),
        ({"id": "b", "status": "failed"}, {"a": "x"}, None),
    ],
)  # fmt: skip
def test_dependencies_are_renamed(old: Job, newer: dict[str, str], expected: list[str] | None) -> None:
    found = renamed_after(old, newer)
    assert (None if found is None else [each["job"] for each in found]) == expected


def test_a_condition_stays() -> None:
    old = {"id": "b", "status": "failed", "after": [{"job": "a", "on": "any"}]}
    assert renamed_after(old, {"a": "c"}) == [{"job": "c", "on": "any"}]


def test_files_of_a_retried_job_are_those_of_its_newest_retry() -> None:
    artifacts = [{"id": "f", "type": "job", "job": "a"}, {"id": "g", "type": "job", "job": "c"}, {"id": "w"}]
    newer = {"a": "a-retry-1", "a-retry-1": "a-retry-2", "d": "d-retry-1"}
    assert renamed_sources({"id": "b", "artifacts": artifacts}, newer) == {"a": "a-retry-2"}
    assert renamed_sources({"id": "b"}, newer) == {}


IDS = st.sampled_from("abcdef")


@given(st.lists(IDS, max_size=6), st.dictionaries(IDS, IDS), st.sampled_from(["failed", "cancelled"]))
def test_any_renaming_ends(after: list[str], newer: dict[str, str], status: str) -> None:
    found = renamed_after(job(*after, status=status), newer)
    assert (found is None) == (not set(after) & set(newer))
    assert found is None or len(found) <= len(after)
