from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from jobd.docker.mapping import inspection, labels
from jobd.docker.mapping.inspection import EngineEvent, Inspected
from jobd.jobs.port.model import ContainerState, EndCause, JobRef

REF = JobRef("u-1", "j", 2)
NEVER = "0001-01-01T00:00:00Z"


def inspected(container_labels: dict[str, str] | None = None, **state: Any) -> Inspected:
    raw = {
        "Id": "c1",
        "Name": "/job-j-worker",
        "State": {"Status": "created", "ExitCode": 0, "StartedAt": NEVER, "FinishedAt": NEVER, **state},
        "Config": {"User": "", "Labels": container_labels or labels.container_labels(REF, "one", "worker")},
    }
    return msgspec.convert(raw, Inspected)


def test_a_made_container_has_no_times_and_no_code() -> None:
    facts = inspection.facts(inspected(), REF, "one")
    assert facts is not None
    assert (facts.started_at, facts.finished_at, facts.exit_code, facts.ended) == (None, None, None, False)
    assert facts.attempt == 2


@pytest.mark.parametrize("status", ["created", "removing", "dead"])
def test_an_unstarted_container_counts_as_unstarted_during_its_removal(status: str) -> None:
    """Otherwise, after a removal whose answer was lost, the job would adopt a container that is being removed."""
    assert inspected(Status=status).never_started
    assert not inspected(Status=status, StartedAt="2026-01-02T03:04:05Z").never_started


@pytest.mark.parametrize("status", ["running", "paused", "restarting", "exited"])
def test_a_container_with_a_process_has_run(status: str) -> None:
    assert not inspected(Status=status).never_started


def test_a_running_container_has_no_code() -> None:
    facts = inspection.facts(
        inspected(Status="running", StartedAt="2026-01-02T03:04:05.123456789Z"), REF, "one"
    )
    assert facts is not None
    assert facts.started_at == datetime(2026, 1, 2, 3, 4, 5, 123456, UTC)
    assert facts.exit_code is None
    assert facts.finished_at is None


def test_an_ended_container_has_its_code() -> None:
    facts = inspection.facts(
        inspected(
            Status="exited",
            ExitCode=137,
            OOMKilled=True,
            StartedAt="2026-01-02T03:04:05Z",
            FinishedAt="2026-01-02T05:04:06.5+02:00",
        ),
        REF,
        "one",
    )
    assert facts is not None
    assert (facts.exit_code, facts.cause, facts.ended) == (137, EndCause.OUT_OF_MEMORY, True)
    assert facts.finished_at == datetime(2026, 1, 2, 3, 4, 6, 500000, UTC)


@pytest.mark.parametrize(
    ("code", "oom", "cause"),
    [
        (0, False, EndCause.OWN_EXIT),
        (0, True, EndCause.OWN_EXIT),
        (3, False, EndCause.OWN_EXIT),
        (128, False, EndCause.OWN_EXIT),
        (137, False, EndCause.SIGNAL),
        (137, True, EndCause.OUT_OF_MEMORY),
        (143, False, EndCause.SIGNAL),
        (255, False, EndCause.OWN_EXIT),
    ],
)
def test_an_end_has_the_cause_that_its_facts_show(code: int, oom: bool, cause: EndCause) -> None:
    state: dict[str, Any] = {
        "Status": "exited",
        "ExitCode": code,
        "OOMKilled": oom,
        "StartedAt": "2026-01-02T03:04:05Z",
    }
    facts = inspection.facts(inspected(**state), REF, "one")
    assert facts is not None
    assert facts.cause is cause


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("created", ContainerState.CREATED),
        ("running", ContainerState.RUNNING),
        ("paused", ContainerState.RUNNING),
        ("restarting", ContainerState.RUNNING),
        ("exited", ContainerState.ENDED),
        ("dead", ContainerState.ENDED),
        ("removing", ContainerState.GONE),
        ("what comes next", ContainerState.GONE),
    ],
)
def test_each_engine_status_has_a_state(status: str, state: ContainerState) -> None:
    facts = inspection.facts(inspected(Status=status, StartedAt="2026-01-02T03:04:05Z"), REF, "one")
    assert facts is not None
    assert facts.state is state
    assert (facts.cause is not None) == (facts.exit_code is not None) == (state is ContainerState.ENDED)


def test_a_container_never_ends_before_it_started() -> None:
    early, late = "2026-01-02T03:04:05.4Z", "2026-01-02T03:04:05.5Z"
    facts = inspection.facts(inspected(Status="exited", StartedAt=late, FinishedAt=early), REF, "one")
    assert facts is not None
    assert facts.finished_at == facts.started_at


def test_a_start_that_failed_shows_why_and_its_code_and_is_no_end() -> None:
    message = 'OCI runtime create failed: exec: "nope": executable file not found in $PATH: unknown'
    facts = inspection.facts(inspected(ExitCode=127, Error=message), REF, "one")
    assert facts is not None
    assert (facts.exit_code, facts.ended, facts.start_may_pass) == (127, False, False)
    assert facts.error == 'the command "nope" does not exist in the image'


def test_a_start_that_failed_on_a_full_disk_may_pass() -> None:
    facts = inspection.facts(inspected(ExitCode=128, Error="mkdir /x: no space left on device"), REF, "one")
    assert facts is not None
    assert (facts.error, facts.start_may_pass) == ("the engine's disk is full", True)


def test_another_attempt_shows_its_own_number() -> None:
    facts = inspection.facts(
        inspected(labels.container_labels(JobRef("u-1", "j", 1), "one", "worker")), REF, "one"
    )
    assert facts is not None
    assert facts.attempt == 1


@pytest.mark.parametrize(
    "foreign",
    [
        {"some": "label"},
        labels.container_labels(REF, "two", "worker"),
        labels.container_labels(JobRef("u-2", "j", 2), "one", "worker"),
    ],
)
def test_what_is_not_this_jobs_is_absent(foreign: dict[str, str]) -> None:
    assert inspection.facts(inspected(foreign), REF, "one") is None


@pytest.mark.parametrize("text", ["", NEVER, "0001-01-01T00:00:00.5Z", "tomorrow"])
def test_zero_and_invalid_times_are_none(text: str) -> None:
    assert inspection.parse_timestamp(text) is None


def event(**fields: Any) -> EngineEvent:
    raw = {
        "Type": "container",
        "Action": "die",
        "Actor": {
            "ID": "c",
            "Attributes": {**labels.container_labels(REF, "one", "worker"), "exitCode": "1"},
        },
        **fields,
    }
    return msgspec.json.decode(msgspec.json.encode(raw), type=EngineEvent)


def test_an_event_names_job_and_role() -> None:
    assert inspection.ref_of_event(event(), "one") == REF
    assert inspection.role_of_event(event()) == "worker"


@pytest.mark.parametrize(
    "fields",
    [
        {"Type": "network"},
        {"Action": "exec_create: sh"},
        {"Actor": {"ID": "c"}},
        {"Actor": {"Attributes": labels.container_labels(REF, "two", "worker")}},
    ],
)
def test_an_event_that_says_nothing_of_our_jobs(fields: dict[str, Any]) -> None:
    assert inspection.ref_of_event(event(**fields), "one") is None


def test_a_missing_network_is_distinguished_from_a_missing_container() -> None:
    assert inspection.network_missing(404, "network jobs-service-one not found")
    assert not inspection.network_missing(404, "No such container: network not")
    assert not inspection.network_missing(500, "network jobs-service-one not found")
