"""Why a job waits or failed: every reason of the contract has a text and, where one exists, a remedy."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobctl.main import REASONS
from jobctl.output.explanation.explanation import explanation, undelivered_of
from jobctl.output.explanation.explanation_texts import CODES, PHASES, REMEDIES, UNREADABLE, WAITS, OfEngine
from jobd.jobs.admission.scheduling.waits import Wait, WaitReason, sentence


@pytest.mark.parametrize("reason", [*REASONS, "exit-code", "start-failed"])
def test_each_reason_is_explained(reason: Any) -> None:
    assert reason in REMEDIES
    explained = explanation(
        {"id": "a", "status": "failed", "reason": reason, "exitCode": 3, "image": "i", "error": "why"}
    )
    assert explained.cause == ("" if reason == "oom-killed" else "why")
    assert explained.remedies or reason == "cancelled"
    assert "{" not in explained.what + "".join(explained.remedies)


@pytest.mark.parametrize("phase", ["queued", "pulling", "inputs", "running", "outputs"])
def test_each_phase_is_explained(phase: Any) -> None:
    assert phase in PHASES
    job = {
        "id": "a",
        "status": "accepted",
        "phase": phase,
        "waitingFor": "a free place: number 2 in the queue",
    }
    explained = explanation(job)
    assert explained.cause == "waits for a free place: number 2 in the queue"


def test_a_paused_job_is_explained_with_its_resume() -> None:
    job = {"id": "a", "status": "running", "phase": "running", "paused": True}
    explained = explanation({**job, "waitingFor": "the job to be resumed"})
    assert explained.what == "the job is paused: its command stands still, and so does its timeout"
    assert explained.cause == "waits for the job to be resumed"
    assert explained.remedies == ("resume the job: jobctl resume a",)
    held = explanation({**job, "group": "gpu", "waitingFor": "group 'gpu' to be resumed"})
    assert held.remedies == remedies_of_wait("group 'gpu' to be resumed", group="gpu")


def remedies_of_wait(waiting_for: str, **fields: Any) -> tuple[str, ...]:
    job = {"id": "a", "status": "accepted", "phase": "queued", "waitingFor": waiting_for, **fields}
    return explanation(job).remedies


@pytest.mark.parametrize("reason", WaitReason)
def test_each_reason_to_wait_has_its_own_remedies(reason: WaitReason) -> None:
    text = sentence(Wait(reason, 2, 1), "gpu")
    remedies = remedies_of_wait(f"{text}: number 2 in the queue", group="gpu")
    assert remedies
    assert remedies != PHASES["queued"][1]
    assert any("MAX_CONCURRENT_JOBS" in remedy for remedy in remedies) == (reason == WaitReason.PLACE)
    assert not re.search(r"{\w", "".join(remedies))


@pytest.mark.parametrize(
    ("waiting_for", "words"),
    [
        ("the queue to be resumed", "jobctl resume"),
        ("the job to be resumed", "jobctl resume a"),
        ("group 'night' to be resumed", "jobctl group resume night"),
        ("a free place in group 'night', which runs 2 at once", "jobctl group set night --max N"),
        ("a free place", "MAX_CONCURRENT_JOBS"),
        ("2 GPUs, of which 1 is free", "--gpus"),
        ("900 MB of memory, of which 248 MB are free", "-m "),
        ("1.5 cores, of which 1 is free", "--cpus"),
        ("its turn", "jobctl bump a"),
        ("a free place", "jobctl bump a"),
        ("the container engine to answer", "jobctl doctor"),
        ("its containers to stop", "jobctl cancel --grace 0 a"),
    ],
)
def test_the_remedy_fits_the_reason_to_wait(waiting_for: str, words: str) -> None:
    assert words in "\n".join(remedies_of_wait(f"{waiting_for}: number 2 in the queue", group="night"))


def test_the_first_job_in_the_queue_is_not_put_first() -> None:
    for waiting_for, first in (
        ("a free place: number 1 in the queue", True),
        ("a free place: number 12 in the queue", False),
    ):
        assert ("jobctl bump a" not in "\n".join(remedies_of_wait(waiting_for))) == first


def test_a_job_of_the_default_group_has_its_groups_name_in_the_remedy() -> None:
    assert "jobctl group resume default" in remedies_of_wait("group 'default' to be resumed")[0]


def test_the_jobs_that_a_job_waits_for_are_named() -> None:
    waiting_for = "the completion of job 'b', the end of job 'c-1' and 2 more: number 2 in the queue"
    assert remedies_of_wait(waiting_for)[:2] == (
        "see what job b does or waits for: jobctl explain b",
        "see what job c-1 does or waits for: jobctl explain c-1",
    )
    after = [{"job": "b"}, {"job": "c", "on": "any"}]
    error = "job 'c' was cancelled; this job starts only if that job completes"
    ended: dict[str, Any] = {"id": "a", "status": "cancelled", "reason": "dependency", "after": after}
    assert explanation({**ended, "error": error}).remedies[0] == "see why that job ended so: jobctl explain c"
    assert [each.rpartition(" ")[2] for each in explanation(ended).remedies[:2]] == ["b", "c"]


def test_a_paused_job_stands_still() -> None:
    job = {"id": "a", "status": "running", "phase": "running", "paused": True}
    explained = explanation({**job, "waitingFor": "group 'night' to be resumed", "group": "night"})
    assert "stands still" in explained.what
    assert explained.remedies == ("resume the group: jobctl group resume night",)
    assert explanation(job).remedies == ("resume the job: jobctl resume a",)


def test_an_unknown_reason_to_wait_gets_no_false_remedy() -> None:
    assert remedies_of_wait("good weather: number 2 in the queue") == ("see the running jobs: jobctl ls",)


@given(
    st.sampled_from(
        ["accepted", "running", "completed", "failed", "cancelled", "unreadable", "of-a-newer-daemon"]
    ),
    st.none() | st.text(),
    st.none() | st.text(),
)
def test_unknown_values_of_a_newer_daemon_are_explained(status: Any, reason: Any, phase: Any) -> None:
    assert explanation({"id": "a", "status": status, "reason": reason, "phase": phase, "error": "{x}"}).what


def test_a_damaged_record_is_explained_with_remedies() -> None:
    explained = explanation(
        {"id": "a", "status": "unreadable", "reason": "unreadable", "error": "its record is damaged"}
    )
    assert "all other jobs go on" in explained.what
    assert explained.cause == "its record is damaged"
    assert "jobctl rm a" in explained.remedies


ATTEMPT = {"number": 1, "exitCode": 3, "reason": "exit-code"}
ATTEMPT |= {"startedAt": "2030-01-31T08:00:00Z", "finishedAt": "2030-01-31T08:00:12Z"}


def test_a_pending_retry_names_its_time_and_the_failed_attempt() -> None:
    job: dict[str, Any] = {"id": "a", "status": "accepted", "phase": "queued", "attempts": [ATTEMPT]}
    explained = explanation({**job, "waitingFor": "attempt 2, due at 2099-01-31T08:00:20Z"})
    assert explained.what == "the last attempt failed, and another attempt will follow"
    assert explained.cause.startswith("waits for attempt 2, due in ")
    assert explained.attempts == ("1: exit-code, exit code 3 after 12s",)
    past = explanation({**job, "waitingFor": "attempt 2, due at 2020-01-31T08:00:20Z"})
    assert past.cause == "waits for attempt 2, due now"


def test_attempts_are_listed_only_where_there_are_several() -> None:
    second = {
        "number": 2,
        "exitCode": 0,
        "startedAt": "2030-01-31T08:00:00Z",
        "finishedAt": "2030-01-31T08:00:01Z",
    }
    job: dict[str, Any] = {"id": "a", "status": "completed"}
    assert explanation({**job, "attempts": [ATTEMPT, second]}).attempts[1] == "2: completed after 1s"
    assert explanation({**job, "attempts": [ATTEMPT]}).attempts == ()


def test_the_canceller_and_the_reason_are_named_once() -> None:
    explained = explanation(
        {
            "id": "a", "status": "cancelled", "reason": "cancelled", "cancelledBy": "ann", "cancelReason": "{wrong} data",
            "error": "cancelled by ann: {wrong} data",
        }
    )  # fmt: skip
    assert explained.what == "the job was cancelled by ann: {wrong} data"
    assert explained.cause == ""


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (137, "neither by jobd nor for its memory limit of 64 MiB"), (143, "ended by SIGTERM"), (139, "ended by SIGSEGV"),
        (126, "is not executable"), (127, "did not find a command"), (1, "exit code 1"), (255, "exit code 255"),
        (200, "exit code 200"), (None, "exit code unknown"),
    ],
)  # fmt: skip
def test_each_exit_code_has_its_own_text(code: int | None, words: str) -> None:
    job = {"id": "a", "status": "failed", "reason": "exit-code", "exitCode": code, "limits": {"memory": 64}}
    assert words in explanation(job).what
    other = explanation({**job, "status": "cancelled", "reason": "cancelled", "cancelledBy": "ann"})
    assert other.what == "the job was cancelled by ann"


@given(st.lists(st.text()), st.integers(-1, 300))
def test_any_last_lines_and_any_exit_code_are_explained(lines: list[str], code: int) -> None:
    job = {"id": "a", "status": "failed", "reason": "exit-code", "exitCode": code}
    explained = explanation(job, lines)
    assert explained.what
    assert explained.last_lines == tuple(lines)


def test_known_errors_in_the_last_lines_come_with_remedies() -> None:
    job = {"id": "a", "status": "failed", "reason": "exit-code", "exitCode": 2, "limits": {"pids": 8}}
    explained = explanation(job, ["sh: can't fork: Resource temporarily unavailable"])
    assert "limit of 8 processes" in explained.cause
    assert explained.remedies[0].startswith("allow more: --pids-limit 16")
    assert "architecture" in explanation(job, ["exec /bin/x: exec format error"]).cause
    assert explanation({**job, "status": "completed"}, ["can't fork"]).cause == ""


def test_failed_artifacts_replace_the_cause() -> None:
    artifacts = [{"id": "x", "type": "read", "error": "not there"}, {"id": "y", "type": "read"}]
    job = {
        "id": "a",
        "status": "failed",
        "reason": "output-failed",
        "error": "outputs failed: x",
        "artifacts": artifacts,
    }
    explained = explanation(job)
    assert (explained.cause, explained.artifacts) == ("", ("x (read): not there",))


def test_undelivered_events_are_counted_once_a_delivery_has_failed() -> None:
    waiting = {"state": "pending", "attempts": 0}
    assert undelivered_of([{"state": "delivered"}, waiting]) is None
    failed = {"state": "pending", "attempts": 2, "lastStatus": 503}
    parked = {"state": "parked", "lastError": "no connection"}
    found = undelivered_of([{"state": "delivered"}, parked, failed, waiting])
    assert found is not None
    assert found.text == "3 events have not reached the receiver, 1 of them given up; last error: status 503"
    explained = explanation({"id": "a", "status": "completed"}, (), found)
    assert explained.undelivered == 3
    assert explained.remedies[-1] == "send the given-up deliveries again: jobctl replay --job a"


ALL = [*REMEDIES.values(), *CODES.values(), *PHASES.values(), *WAITS, UNREADABLE]
VERSION = {
    "remedies": {
        "image-not-found": ["pull {image} with its tool", "log in"],
        "unreadable": ["read {id} {else}"],
    }
}


def test_what_helps_with_the_engines_own_tools_is_what_the_daemon_says() -> None:
    job = {"id": "a", "status": "failed", "reason": "image-not-found", "image": "{id}:1", "error": "why"}
    explained = explanation(job, version=VERSION)
    assert explained.remedies == (
        "pull {id}:1 with its tool",
        "log in",
        "use an image that exists only on this machine: --pull never",
    )
    damaged = explanation({"id": "a", "status": "unreadable"}, version=VERSION)
    assert damaged.remedies[0] == "read a {else}"
    older = explanation(job).remedies
    assert older[0] == "check the name and tag, and the login to its registry"


@pytest.mark.parametrize("remedies", [None, 7, [], {"image-not-found": "text"}, {"image-not-found": []}])
def test_a_daemon_that_says_it_otherwise_is_no_crash(remedies: Any) -> None:
    job = {"id": "a", "status": "failed", "reason": "image-not-found"}
    assert len(explanation(job, version={"remedies": remedies}).remedies) == 2


def test_dockers_remedies_fit_what_is_explained() -> None:
    from jobd.docker.remedies import REMEDIES as DOCKERS

    for wrong, texts in DOCKERS.items():
        assert all(set(re.findall(r"{(\w+)}", text)) <= {"id", "image"} for text in texts), wrong
    explained = {remedy.problem for _, remedies in ALL for remedy in remedies if isinstance(remedy, OfEngine)}
    assert explained == set(DOCKERS) - {"engine-unreachable"}
