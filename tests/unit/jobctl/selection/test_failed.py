"""The failed jobs of a set or label: each once, and none that was retried already."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobctl.errors import NotFound, Refused
from jobctl.selection.failed import failed_jobs, has_failed, retries_of, to_retry

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


class Sets:
    """Answers `GET /v1/jobs` for sets, and `GET /v1/jobs/ID`. `knows_sets`: False for a jobd without sets."""

    def __init__(self, members: dict[str, list[Job]], knows_sets: bool = True) -> None:
        self.members = members
        self.knows_sets = knows_sets

    def get(self, path: str, query: Any = None) -> bytes:
        if "set" in (query or {}):
            if not self.knows_sets:
                raise Refused("unknown parameter 'set'", field="set")
            return json.dumps({"jobs": self.members.get(query["set"], [])}).encode()
        if query is not None:
            return b'{"jobs": []}'
        found = [each for jobs in self.members.values() for each in jobs if path.endswith(f"/{each['id']}")]
        if not found:
            raise NotFound("no job")
        return json.dumps(found[0]).encode()


def test_a_set_names_its_failed_jobs_and_an_id_its_own_job() -> None:
    sweep = [job("a-retry-1", "completed", retriedFrom="a"), job("c"), job("b", "completed"), job("a")]
    client: Any = Sets({"sweep": sweep, "": [job("d"), job("e", "completed")]})
    found = failed_jobs(client, ["sweep", "d", "e", "none"], None)
    assert [each["id"] for each in found.jobs] == ["c", "d"]
    assert found.newer == {"a": "a-retry-1"}
    assert [str(error) for error in found.errors] == ["no job 'none'"]


def test_a_daemon_without_sets_has_no_set() -> None:
    client: Any = Sets({"sweep": [job("a")]}, knows_sets=False)
    found = failed_jobs(client, ["a", "sweep"], None)
    assert [each["id"] for each in found.jobs] == ["a"]
    assert len(found.errors) == 1


def test_another_refusal_is_an_error() -> None:
    class Refusing:
        def get(self, path: str, query: Any = None) -> bytes:
            raise Refused("busy")

    client: Any = Refusing()
    with pytest.raises(Refused, match="busy"):
        failed_jobs(client, ["a"], None)
