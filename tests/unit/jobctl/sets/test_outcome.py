"""The outcome of a set is that of each job's latest retry."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from jobctl.sets.outcome import Tally

Job = dict[str, Any]


def job(job_id: str, status: str = "failed", origin: str | None = None) -> Job:
    return {"id": job_id, "status": status, **({"retriedFrom": origin} if origin else {})}


def tally_of(*newest_first: Job) -> Tally:
    tally = Tally()
    tally.add(newest_first)
    return tally


def test_the_latest_retry_of_a_chain_counts() -> None:
    chain = [job("a-retry-1", "failed", "a"), job("b", "completed"), job("a")]
    failed = tally_of(*chain)
    assert [one["id"] for one in failed.failed] == ["a-retry-1"]
    mended = tally_of(job("a-retry-2", "completed", "a-retry-1"), *chain)
    assert mended.failed == []
    view = {"id": "s", "total": 4, "completed": 2, "failed": 2, "cancelled": 0}
    assert mended.of(view) == {
        "id": "s",
        "total": 2,
        "completed": 2,
        "failed": 0,
        "cancelled": 0,
        "retried": 2,
    }


def test_a_retry_of_an_earlier_job_with_the_same_id_does_not_count() -> None:
    assert [one["id"] for one in tally_of(job("a"), job("a-retry-1", "completed", "a"), job("a")).failed] == [
        "a"
    ]


def test_a_retry_that_runs_has_not_ended() -> None:
    assert tally_of(job("a-retry-1", "running", "a"), job("a")).is_active
    assert not tally_of(job("a")).is_active


@given(
    st.lists(
        st.builds(
            job,
            st.sampled_from("abc"),
            st.sampled_from(["failed", "completed", "cancelled", "unreadable", "running"]),
            st.sampled_from("abc") | st.none(),
        )
    )
)
def test_each_unsuccessful_job_counts_once(jobs: list[Job]) -> None:
    tally = tally_of(*jobs)
    unsuccessful = [one for one in jobs if one["status"] in ("failed", "cancelled", "unreadable")]
    assert len(tally.failed) + len(tally.retried) == len(unsuccessful)
    assert all(value >= 0 for value in tally.of({"total": 0}).values())
