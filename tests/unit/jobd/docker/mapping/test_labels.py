import pytest

from jobd.docker.mapping import labels
from jobd.jobs.port.model import JobRef

REF = JobRef(uid="01UID", id="build-7", attempt=3)


def test_names_are_those_of_the_guide() -> None:
    assert labels.container_name("a", "worker") == "job-a-worker"
    assert labels.container_name("a", "sidecar") == "job-a-sidecar"
    assert labels.volume_name("a") == "job-a-workspace"


def test_the_labels_of_the_guide_are_there() -> None:
    made = labels.container_labels(REF, "one", "sidecar")
    assert made["job.id"] == "build-7"
    assert made["job.type"] == "sidecar"
    assert made["managed-by"] == "jobs-service"


def test_the_attempt_is_read_back_from_the_labels() -> None:
    assert labels.ref_of(labels.container_labels(REF, "one", "worker"), "one") == REF
    assert labels.ref_of(labels.job_labels(REF, "one"), "one") == REF


def test_another_instance_is_foreign() -> None:
    assert not labels.is_owned(labels.job_labels(REF, "one"), "two")
    assert labels.ref_of(labels.job_labels(REF, "one"), "two") is None


@pytest.mark.parametrize("foreign", [None, {}, {"managed-by": "jobs-service"}, {"job.instance": "one"}])
def test_what_lacks_a_label_is_foreign(foreign: dict[str, str] | None) -> None:
    assert not labels.is_owned(foreign, "one")


@pytest.mark.parametrize("attempt", ["", "x", "-1", "1.5", "²", "9" * 10])
def test_a_damaged_attempt_names_no_job(attempt: str) -> None:
    assert labels.ref_of({**labels.job_labels(REF, "one"), "job.attempt": attempt}, "one") is None


@pytest.mark.parametrize("name", ["job.uid", "job.id"])
def test_an_empty_label_names_no_job(name: str) -> None:
    assert labels.ref_of({**labels.job_labels(REF, "one"), name: ""}, "one") is None
