"""The jobs whose files a retry takes: other ids in their place, and which ends of theirs are refused."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from jobd.errors import Conflict, InvalidRequest
from jobd.jobs.admission.retried_sources import check_source, implied_sources, with_sources
from jobd.wire.artifact import JobFiles, Write
from jobd.wire.job import Dependency, JobSpec

SUBMITTED = datetime(2030, 1, 1, tzinfo=UTC)


def files(job_id: str, name: str) -> JobFiles:
    return JobFiles(id=name, job=job_id, source="f", out=name)


SPEC = JobSpec(
    id="c",
    image="busybox",
    after=[Dependency(job="a", on="any")],
    artifacts=[files("a", "f1"), Write(id="w", source="x", out="w"), files("b", "f2"), files("b", "f3")],
)


def test_each_artifact_of_the_job_takes_the_files_of_the_other_one() -> None:
    changed = with_sources(SPEC, {"b": "b-retry-1"})
    assert [getattr(each, "job", None) for each in changed.artifacts] == ["a", None, "b-retry-1", "b-retry-1"]
    assert with_sources(SPEC, {}) is SPEC


def test_a_job_whose_files_are_not_taken_is_refused_with_its_field() -> None:
    with pytest.raises(InvalidRequest) as caught:
        with_sources(SPEC, {"b": "x", "d": "d-retry-1"})
    assert caught.value.field == "sources.d"


def test_a_job_is_awaited_for_its_files_alone_unless_after_names_it() -> None:
    assert implied_sources(SPEC, {}) == ["b"]
    assert implied_sources(SPEC, {"b": "b-retry-1"}) == []


@pytest.mark.parametrize(
    ("status", "ended_s", "refused"),
    [
        ("failed", 5, True), ("cancelled", 5, True), ("completed", 5, False), ("failed", -5, False), ("running", None, False),
    ],
)  # fmt: skip
def test_files_of_a_job_that_failed_since_the_submission_are_refused(
    status: str, ended_s: float | None, refused: bool
) -> None:
    ended = None if ended_s is None else SUBMITTED + timedelta(seconds=ended_s)
    old: Any = SimpleNamespace(id="c", created_at=SUBMITTED)
    source: Any = SimpleNamespace(id="b", status=status, finished_at=ended)
    if not refused:
        check_source(old, source)
        return
    with pytest.raises(Conflict) as caught:
        check_source(old, source)
    assert (caught.value.code, caught.value.field) == ("dependency", "sources")
    assert "jobctl retry b c" in str(caught.value)
