"""When an attempt is repeated, and what the next one begins with."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobd.jobs.state import actions, facts, retry
from jobd.jobs.state.record import new_record
from jobd.wire.job import RETRY_REASONS, JobSpec

Job = Callable[..., Any]


def failed(a: Any, code: int) -> Any:
    a.to("running")
    return a.look(a.exited(code)).tell(facts.LogsDrained())


def test_a_failure_goes_back_to_the_queue_with_its_history(job: Job) -> None:
    a = failed(job(retries=1), 3)
    assert a.types == ["start", "retry"]
    assert (a.record.phase, a.record.status, a.record.attempt) == ("queued", "accepted", 2)
    assert (a.record.exit_code, a.record.reason, a.record.worker_id) == (None, None, None)
    assert [(e.number, e.exit_code, e.reason) for e in a.record.earlier] == [(1, 3, "exit-code")]
    retried = a.data("retry")
    assert (retried["attempt"], retried["exitCode"], retried["reason"], retried["delaySeconds"]) == (
        1,
        3,
        "exit-code",
        1.0,
    )


def test_the_next_attempt_waits_for_the_clean_up_then_for_its_time_then_for_a_place(job: Job) -> None:
    a = failed(job(retries=1), 3)
    assert a.asks(blind=True) == actions.Remove()
    assert a.tell(facts.Cleaned()).asks(blind=True) == actions.Wait(a.now + timedelta(seconds=1))
    assert a.later(1).asks(blind=True) == actions.Admit()


def test_a_cancel_between_two_attempts_ends_the_job(job: Job) -> None:
    a = failed(job(retries=3), 3).tell(facts.CancelRequested(by="me", grace_s=1, delete=False))
    assert (a.record.status, a.record.reason) == ("cancelled", "cancelled")
    assert a.types == ["start", "retry", "exit", "complete"]


@pytest.mark.parametrize(
    ("options", "code", "again"),
    [
        ({}, 3, False),
        ({"retries": 1}, 0, False),
        ({"retries": 1}, 3, True),
        ({"retries": 1, "retry_on": [3]}, 3, True),
        ({"retries": 1, "retry_on": [4]}, 3, False),
        ({"retries": 1, "retry_on": ["exit-code"]}, 3, True),
        ({"retries": 1, "retry_on": ["lost"]}, 3, False),
    ],
)
def test_only_what_is_named_is_repeated(job: Job, options: dict[str, Any], code: int, again: bool) -> None:
    a = failed(job(**options), code)
    assert ("retry" in a.types) == again
    assert a.record.ended != again


def test_a_set_up_that_fails_is_repeated_too(job: Job) -> None:
    a = job(retries=1).tell(facts.Admitted(), facts.SetupFailed("image-not-found", "no such image"))
    assert a.types == ["retry"]
    a.tell(facts.Cleaned(), facts.Admitted(), facts.SetupFailed("image-not-found", "no such image"))
    assert a.types == ["retry", "exit", "complete"]


@given(st.integers(1, 50))
def test_pauses_grow_to_a_bound(attempt: int) -> None:
    assert 0 < retry.delay_s(attempt) <= retry.delay_s(attempt + 1) <= retry.LONGEST_DELAY_S


@given(st.sampled_from([*sorted(RETRY_REASONS), "cancelled", "output-failed", None]), st.integers(1, 12))
def test_never_more_attempts_than_asked_for(reason: str | None, attempt: int) -> None:
    spec = JobSpec(id="a", image="b", retries=3)
    fresh = new_record(spec, now=datetime(2030, 1, 1, tzinfo=UTC), owner=None, digest="", has_spool=False)
    record = msgspec.structs.replace(fresh, reason=reason, attempt=attempt)
    assert retry.is_repeated(record, spec) == (reason in RETRY_REASONS and attempt <= 3)
