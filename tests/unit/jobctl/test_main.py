"""The table of exit codes, as the command-line contract has it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobctl.errors import (
    Conflict,
    ConnectionLost,
    LocalFile,
    Misuse,
    NotAllowed,
    NotFound,
    OutputMissing,
    Refused,
    Unreachable,
)
from jobctl.job.outcome import Ended, Interrupted, ProblemsFound, WaitTimedOut
from jobctl.main import REASONS, ended_code, error_code, outcome_code


@pytest.mark.parametrize(
    ("ended", "code"),
    [
        (Ended("completed", 0), 0),
        (Ended("failed", 7, "exit-code"), 7),
        (Ended("failed", 137, "exit-code"), 137),
        (Ended("failed", 143, "timeout"), 124),
        (Ended("failed", 137, "oom-killed"), 137),
        (Ended("cancelled", 143, "cancelled"), 121),
        (Ended("cancelled", 0, None), 121),
        (Ended("failed", None, "image-not-found"), 123),
        (Ended("failed", None, "input-failed"), 123),
        (Ended("failed", None, "refused-by-engine"), 123),
        (Ended("failed", 126, "start-failed"), 126),
        (Ended("failed", 127, "start-failed"), 127),
        (Ended("failed", 128, "start-failed"), 126),
        (Ended("failed", None, "start-failed"), 126),
        (Ended("failed", 0, "output-failed"), 122),
        (Ended("failed", None, "lost"), 125),
        (Ended("failed", None, "of-a-newer-daemon"), 125),
        (Ended("failed", 0, "of-a-newer-daemon"), 125),
    ],
)
def test_each_end_of_a_job_has_its_code(ended: Any, code: Any) -> None:
    assert ended_code(ended) == code


@given(st.integers(1, 255))
def test_the_jobs_exit_code_is_jobctls_exit_code(code: Any) -> None:
    assert ended_code(Ended("failed", code, "exit-code")) == code


@given(
    st.sampled_from(["failed", "cancelled"]),
    st.none() | st.integers(-1000, 1000),
    st.none() | st.sampled_from([*REASONS, "start-failed", "exit-code"]) | st.text(),
)
def test_only_completed_jobs_exit_with_zero(status: Any, exit_code: Any, reason: Any) -> None:
    assert 0 < ended_code(Ended(status, exit_code, reason)) < 256


def test_the_other_outcomes() -> None:
    assert [outcome_code(o) for o in (Interrupted(), WaitTimedOut(), ProblemsFound())] == [130, 120, 1]


@pytest.mark.parametrize(
    ("error", "other", "of_run"),
    [
        (Misuse(""), 2, 125),
        (Unreachable(""), 3, 125),
        (NotFound(""), 4, 125),
        (NotAllowed(""), 5, 125),
        (Conflict(""), 6, 125),
        (Refused(""), 1, 125),
        (ConnectionLost(""), 1, 125),
        (LocalFile(""), 1, 125),
        (OutputMissing(""), 122, 122),
    ],
)
def test_failures_of_run_and_wait_have_their_own_code(error: Any, other: Any, of_run: Any) -> None:
    assert error_code(error, "ls") == other
    assert error_code(error, "submit") == other
    assert error_code(error, "run") == of_run
    assert error_code(error, "wait") == of_run
