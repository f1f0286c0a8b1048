"""Why a job waits or failed: every reason of the contract has words and, where there is one, a remedy."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobctl.commands.explain import _PHASES, _REMEDIES, explanation
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
    st.sampled_from(["accepted", "running", "completed", "failed", "cancelled", "of-a-newer-daemon"]),
    st.none() | st.text(),
    st.none() | st.text(),
)
def test_what_a_newer_daemon_says_is_no_crash(status: Any, reason: Any, phase: Any) -> None:
    assert explanation({"id": "a", "status": status, "reason": reason, "phase": phase, "error": "{x}"}).what
