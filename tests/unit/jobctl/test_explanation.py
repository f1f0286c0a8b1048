"""Why a job waits or failed: every reason of the contract has words and, where there is one, a remedy."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobctl.explanation import _PHASES, _REMEDIES, explanation
from jobctl.main import REASONS


@pytest.mark.parametrize("reason", [*REASONS, "exit-code", "start-failed"])
def test_each_reason_is_explained(reason: Any) -> None:
    assert reason in _REMEDIES
    said = explanation(
        {"id": "a", "status": "failed", "reason": reason, "exitCode": 3, "image": "i", "error": "why"}
    )
    assert said.cause == "why"
    assert said.remedies or reason == "cancelled"
    assert "{" not in said.what + "".join(said.remedies)


@pytest.mark.parametrize("phase", ["queued", "pulling", "inputs", "running", "outputs"])
def test_each_phase_is_explained(phase: Any) -> None:
    assert phase in _PHASES
    job = {
        "id": "a",
        "status": "accepted",
        "phase": phase,
        "waitingFor": "a free place: number 2 in the queue",
    }
    said = explanation(job)
    assert said.cause == "waits for a free place: number 2 in the queue"


@given(
    st.sampled_from(
        ["accepted", "running", "completed", "failed", "cancelled", "unreadable", "of-a-newer-daemon"]
    ),
    st.none() | st.text(),
    st.none() | st.text(),
)
def test_what_a_newer_daemon_says_is_no_crash(status: Any, reason: Any, phase: Any) -> None:
    assert explanation({"id": "a", "status": status, "reason": reason, "phase": phase, "error": "{x}"}).what


def test_a_damaged_record_is_explained_with_what_helps() -> None:
    said = explanation(
        {"id": "a", "status": "unreadable", "reason": "unreadable", "error": "its record is damaged"}
    )
    assert "all other jobs go on" in said.what
    assert said.cause == "its record is damaged"
    assert "jobctl rm a" in said.remedies


ATTEMPT = {"number": 1, "exitCode": 3, "reason": "exit-code"}
ATTEMPT |= {"startedAt": "2030-01-31T08:00:00Z", "finishedAt": "2030-01-31T08:00:12Z"}


def test_a_retry_to_come_says_when_and_how_the_last_attempt_went() -> None:
    job: dict[str, Any] = {"id": "a", "status": "accepted", "phase": "queued", "attempts": [ATTEMPT]}
    said = explanation({**job, "waitingFor": "attempt 2, due at 2099-01-31T08:00:20Z"})
    assert said.what == "its last attempt failed and another one is to come"
    assert said.cause.startswith("waits for attempt 2, due in ")
    assert said.attempts == ("1: exit-code, exit code 3 after 12s",)
    past = explanation({**job, "waitingFor": "attempt 2, due at 2020-01-31T08:00:20Z"})
    assert past.cause == "waits for attempt 2, due now"


def test_several_attempts_are_told_one_alone_is_not() -> None:
    second = {
        "number": 2,
        "exitCode": 0,
        "startedAt": "2030-01-31T08:00:00Z",
        "finishedAt": "2030-01-31T08:00:01Z",
    }
    job: dict[str, Any] = {"id": "a", "status": "completed"}
    assert explanation({**job, "attempts": [ATTEMPT, second]}).attempts[1] == "2: completed after 1s"
    assert explanation({**job, "attempts": [ATTEMPT]}).attempts == ()


def test_who_cancelled_and_why_is_said_once() -> None:
    said = explanation(
        {
            "id": "a", "status": "cancelled", "reason": "cancelled", "cancelledBy": "ann", "cancelReason": "{wrong} data",
            "error": "cancelled by ann: {wrong} data",
        }
    )  # fmt: skip
    assert said.what == "it was cancelled by ann: {wrong} data"
    assert said.cause == ""
