"""The jobs whose files a retry takes: other ids in their place, and which ends of theirs are refused."""

from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace

from jobd.errors import Conflict, InvalidRequest
from jobd.jobs.admission.retried_sources import check_source, implied_sources, met_conditions, with_sources
from jobd.wire.artifact import JobFiles, Write
from jobd.wire.job import Dependency, JobSpec


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
    assert implied_sources(SPEC, []) == ["b"]
    assert implied_sources(SPEC, ["b"]) == []


def test_a_condition_that_was_met_stays_for_the_files_that_are_taken() -> None:
    assert met_conditions(SPEC, {}) == [Dependency(job="a", on="any")]
    assert met_conditions(SPEC, {"a": "a-retry-1"}) == [Dependency(job="a-retry-1", on="any")]
    other = [Dependency(job="a"), Dependency(job="x", on="any")]
    assert met_conditions(replace(SPEC, after=other), {}) == []


@pytest.mark.parametrize(
    ("status", "refused"),
    [("failed", True), ("cancelled", True), ("completed", False), ("running", False)],
)
def test_files_of_a_job_that_failed_are_refused(status: str, refused: bool) -> None:
    old: Any = SimpleNamespace(id="c")
    source: Any = SimpleNamespace(id="b", status=status, ended=status != "running")
    if not refused:
        check_source(old, source)
        return
    with pytest.raises(Conflict) as caught:
        check_source(old, source)
    assert (caught.value.code, caught.value.field) == ("dependency", "sources")
    assert "jobctl retry b c" in str(caught.value)
