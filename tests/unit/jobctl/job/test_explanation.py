"""Why a job waits or failed: every reason of the contract has words and, where there is one, a remedy."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobctl.job.explanation import (
    _CODES,
    _PHASES,
    _REMEDIES,
    _UNREADABLE,
    OfEngine,
    explanation,
    undelivered_of,
)
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


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (137, "neither by jobd nor for its memory limit of 64 MiB"), (143, "ended by SIGTERM"), (139, "ended by SIGSEGV"),
        (126, "may not be executed"), (127, "did not find a command"), (1, "exit code 1"), (255, "exit code 255"),
        (200, "exit code 200"), (None, "exit code unknown"),
    ],
)  # fmt: skip
def test_codes_are_told_apart(code: int | None, words: str) -> None:
    job = {"id": "a", "status": "failed", "reason": "exit-code", "exitCode": code, "limits": {"memory": 64}}
    assert words in explanation(job).what
    other = explanation({**job, "status": "cancelled", "reason": "cancelled", "cancelledBy": "ann"})
    assert other.what == "it was cancelled by ann"


@given(st.lists(st.text()), st.integers(-1, 300))
def test_any_last_words_and_any_code_are_explained(lines: list[str], code: int) -> None:
    job = {"id": "a", "status": "failed", "reason": "exit-code", "exitCode": code}
    said = explanation(job, lines)
    assert said.what
    assert said.last_lines == tuple(lines)


def test_signs_in_the_last_lines_come_with_what_helps() -> None:
    job = {"id": "a", "status": "failed", "reason": "exit-code", "exitCode": 2, "limits": {"pids": 8}}
    said = explanation(job, ["sh: can't fork: Resource temporarily unavailable"])
    assert "limit of 8 processes" in said.cause
    assert said.remedies[0].startswith("allow more: --pids-limit 16")
    assert "architecture" in explanation(job, ["exec /bin/x: exec format error"]).cause
    assert explanation({**job, "status": "completed"}, ["can't fork"]).cause == ""


def test_artifacts_say_why_themselves() -> None:
    artifacts = [{"id": "x", "type": "read", "error": "not there"}, {"id": "y", "type": "read"}]
    job = {
        "id": "a",
        "status": "failed",
        "reason": "output-failed",
        "error": "outputs failed: x",
        "artifacts": artifacts,
    }
    said = explanation(job)
    assert (said.cause, said.artifacts) == ("", ("x (read): not there",))


def test_what_is_not_delivered_is_counted_once_something_went_wrong() -> None:
    waiting = {"state": "pending", "attempts": 0}
    assert undelivered_of([{"state": "delivered"}, waiting]) is None
    failed = {"state": "pending", "attempts": 2, "lastStatus": 503}
    parked = {"state": "parked", "lastError": "no connection"}
    found = undelivered_of([{"state": "delivered"}, parked, failed, waiting])
    assert found is not None
    assert found.words == "3 events have not reached the receiver, 1 of them given up; last: status 503"
    said = explanation({"id": "a", "status": "completed"}, (), found)
    assert said.undelivered == 3
    assert said.remedies[-1] == "send again what was given up: jobctl replay --job a"


ALL = [*_REMEDIES.values(), *_CODES.values(), *_PHASES.values(), _UNREADABLE]
REMEDIES = {
    "remedies": {
        "image-not-found": ["pull {image} with its tool", "log in"],
        "unreadable": ["read {id} {else}"],
    }
}


def test_what_helps_with_the_engines_own_tools_is_what_the_daemon_says() -> None:
    job = {"id": "a", "status": "failed", "reason": "image-not-found", "image": "{id}:1", "error": "why"}
    said = explanation(job, version=REMEDIES)
    assert said.remedies == ("pull {id}:1 with its tool", "log in", "an image made here: --pull never")
    damaged = explanation({"id": "a", "status": "unreadable"}, version=REMEDIES)
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
    explained = {remedy.wrong for _, remedies in ALL for remedy in remedies if isinstance(remedy, OfEngine)}
    assert explained == set(DOCKERS) - {"engine-unreachable", "sidecar-image-missing"}
