"""What each status of a Pod means: a container's state, what ended it, and whether its image can be had."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobd.jobs.port.model import ContainerState, EndCause
from jobd.kubernetes.mapping import facts
from jobd.kubernetes.mapping.facts import NOT_EXECUTABLE, NOT_FOUND, NOT_STARTED
from jobd.kubernetes.mapping.quantities import timestamp
from tests.unit.jobd.kubernetes.pods import BEGAN, OVER, pod, running, terminated, waiting

NOW = datetime(2030, 1, 1, 0, 1, tzinfo=UTC)
PLACED = {"type": "PodScheduled", "status": "True", "lastTransitionTime": "2030-01-01T00:00:01Z"}


def worker(**fields: Any) -> Any:
    return facts.facts(pod(**fields), "worker", 1, NOW)


def disrupted(reason: str) -> dict[str, Any]:
    return {"type": "DisruptionTarget", "status": "True", "reason": reason, "message": "taken"}


def test_a_pod_at_its_gate_has_not_run() -> None:
    found = worker(gated=True, node="", phase="Pending")
    assert (found.state, found.started_at, found.attempt, found.id) == (
        ContainerState.CREATED,
        None,
        1,
        "pod-1",
    )


def test_a_worker_behind_a_sidecar_that_is_not_ready_has_not_been_asked_to_start() -> None:
    held = pod(sidecar=running(started=False), worker=waiting("PodInitializing"), phase="Pending")
    assert facts.facts(held, "worker", 1, NOW).state is ContainerState.CREATED  # type: ignore[union-attr]
    let = pod(sidecar=running(started=True), worker=waiting("PodInitializing"), phase="Pending")
    assert facts.facts(let, "worker", 1, NOW).state is ContainerState.STARTING  # type: ignore[union-attr]


def test_a_pod_without_a_place_waits_with_the_schedulers_reason() -> None:
    unplaced = {
        "type": "PodScheduled",
        "status": "False",
        "reason": "Unschedulable",
        "message": "0/3 nodes: cpu",
    }
    found = worker(node="", phase="Pending", conditions=[unplaced])
    assert (found.state, found.pending) == (ContainerState.STARTING, "a node: 0/3 nodes: cpu")


@pytest.mark.parametrize(
    ("reason", "message", "gone"),
    [
        ("ErrImageNeverPull", "Container image is not present", True),
        ("InvalidImageName", "cannot parse", True),
        ("ErrImagePull", "manifest unknown", True),
        ("ImagePullBackOff", 'Back-off pulling "x": pull access denied', True),
        ("ErrImagePull", "dial tcp: i/o timeout", False),
    ],
)
def test_an_image_that_cannot_be_had_ends_the_start_and_a_network_that_fails_does_not(
    reason: str, message: str, gone: bool
) -> None:
    found = worker(worker=waiting(reason, message), phase="Pending", conditions=[PLACED])
    assert found.image_unavailable is gone
    assert message in (found.error if gone else found.pending)
    assert found.started_at is None


def test_a_pull_that_fails_for_half_an_hour_is_given_up() -> None:
    late = pod(worker=waiting("ImagePullBackOff", "timeout"), phase="Pending", conditions=[PLACED])
    began = timestamp("2030-01-01T00:00:01Z")
    assert began is not None
    for minutes, gone in ((29, False), (31, True)):
        found = facts.facts(late, "worker", 1, began + timedelta(minutes=minutes))
        assert found is not None
        assert found.image_unavailable is gone


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ('exec: "/no/such": stat /no/such: no such file or directory', NOT_FOUND),
        ('exec: "nope": executable file not found in $PATH', NOT_FOUND),
        ('exec: "/etc/passwd": permission denied', NOT_EXECUTABLE),
        ("exec format error", NOT_EXECUTABLE),
        ("the moon is full", NOT_STARTED),
    ],
)
def test_a_start_that_failed_says_why_and_never_ran(message: str, code: int) -> None:
    never = {"startedAt": "1970-01-01T00:00:00Z", "message": message}
    found = worker(worker=terminated(128, "StartError", **never), phase="Failed")
    assert (found.state, found.exit_code, found.started_at) == (ContainerState.CREATED, code, None)
    assert message in found.error
    assert not found.ended


@pytest.mark.parametrize(
    ("code", "reason", "cause"),
    [
        (0, "Completed", EndCause.OWN_EXIT),
        (1, "Error", EndCause.OWN_EXIT),
        (255, "Error", EndCause.OWN_EXIT),
        (137, "Error", EndCause.SIGNAL),
        (143, "Error", EndCause.SIGNAL),
        (137, "OOMKilled", EndCause.OUT_OF_MEMORY),
        (0, "OOMKilled", EndCause.OWN_EXIT),
    ],
)
def test_what_ended_a_worker_by_its_code_and_reason(code: int, reason: str, cause: EndCause) -> None:
    found = worker(worker=terminated(code, reason))
    assert (found.state, found.exit_code, found.cause) == (ContainerState.ENDED, code, cause)
    assert (found.started_at, found.finished_at) == (timestamp(BEGAN), timestamp(OVER))


@pytest.mark.parametrize(
    ("reason", "cause"),
    [
        ("PreemptionByScheduler", EndCause.EVICTED),
        ("EvictionByEvictionAPI", EndCause.EVICTED),
        ("TerminationByKubelet", EndCause.EVICTED),
        ("DeletionByTaintManager", EndCause.NODE_LOST),
        ("DeletionByPodGC", EndCause.NODE_LOST),
    ],
)
def test_a_disruption_counts_where_the_worker_was_killed_and_not_where_it_ended_itself(
    reason: str, cause: EndCause
) -> None:
    found = worker(worker=terminated(143), phase="Failed", conditions=[disrupted(reason)])
    assert found.cause is cause
    own = worker(worker=terminated(3), phase="Failed", conditions=[disrupted(reason)])
    assert (own.cause, own.exit_code) == (EndCause.OWN_EXIT, 3)


def test_a_worker_that_was_lost_with_its_node_has_no_exit_code() -> None:
    unknown = terminated(137, "ContainerStatusUnknown", startedAt=None)
    found = worker(worker=unknown, phase="Failed", conditions=[disrupted("DeletionByTaintManager")])
    assert (found.cause, found.exit_code, found.ended) == (EndCause.NODE_LOST, None, True)
    assert worker(worker=unknown, phase="Failed").cause is EndCause.UNKNOWN


def test_a_worker_whose_end_the_node_never_told_has_ended_with_its_pod() -> None:
    gone = worker(worker=running(), phase="Failed", conditions=[disrupted("DeletionByPodGC")])
    assert (gone.cause, gone.exit_code, gone.state) == (EndCause.NODE_LOST, None, ContainerState.ENDED)
    assert gone.started_at is not None
    assert worker(worker=running(), phase="Failed").cause is EndCause.UNKNOWN


def test_a_sidecar_without_its_order_has_not_started() -> None:
    def state(**fields: Any) -> Any:
        return facts.facts(pod(sidecar=running(), **fields), "sidecar", 1, NOW)

    made = state()
    assert made is not None
    assert (made.state, made.started_at) == (ContainerState.CREATED, None)
    assert facts.sidecar_runs(pod(sidecar=running()))


def test_a_start_that_the_end_of_the_kubelet_interrupted_is_repeated_unless_inputs_would_be_lost() -> None:
    message = "failed to create containerd task: failed to create shim task: context canceled: unknown"
    failed = terminated(128, "StartError", startedAt=None, message=message)
    assert worker(worker=failed, phase="Failed").start_may_pass
    assert not worker(worker=failed, phase="Failed", sidecar=running()).start_may_pass
    missing = terminated(
        128, "StartError", startedAt=None, message='exec: "x": executable file not found in $PATH'
    )
    assert not worker(worker=missing, phase="Failed").start_may_pass


def test_a_pod_that_its_node_refused_never_ran() -> None:
    found = worker(phase="Failed", reason="OutOfcpu", message="Pod was rejected: node didn't have enough cpu")
    assert (found.state, found.exit_code) == (ContainerState.CREATED, NOT_STARTED)
    assert "rejected" in found.error


def test_a_sidecar_that_the_kubelet_has_started_again_has_ended_for_jobd() -> None:
    again = running(restarts=1, last=terminated(70))
    found = facts.facts(pod(sidecar=again), "sidecar", 1, NOW)
    assert found is not None
    assert (found.state, found.exit_code, found.id) == (ContainerState.ENDED, 70, "pod-1-sidecar")
    assert facts.facts(pod(), "sidecar", 1, NOW) is None


STATES = st.one_of(
    st.none(),
    st.builds(
        waiting,
        st.sampled_from(["", "ContainerCreating", "ErrImagePull", "CreateContainerError", "x"]),
        st.text(max_size=9),
    ),
    st.builds(running),
    st.builds(
        terminated,
        st.integers(0, 255),
        st.sampled_from(["Error", "Completed", "OOMKilled", "StartError", "ContainerStatusUnknown"]),
        startedAt=st.sampled_from([None, BEGAN, "1970-01-01T00:00:00Z"]),
        message=st.text(max_size=9),
    ),
)


@given(
    STATES,
    st.sampled_from(["Pending", "Running", "Succeeded", "Failed", "Unknown"]),
    st.booleans(),
    st.sampled_from(["", "n"]),
    st.sampled_from([None, "PreemptionByScheduler", "DeletionByPodGC", "Other"]),
)
def test_any_status_has_facts_that_do_not_contradict_themselves(
    state: dict[str, Any] | None, phase: str, gated: bool, node: str, reason: str | None
) -> None:
    conditions = [] if reason is None else [disrupted(reason)]
    given_pod = pod(worker=state, phase=phase, gated=gated, node=node, conditions=conditions)
    found = facts.facts(given_pod, "worker", 1, NOW)
    assert found is not None
    if found.state is ContainerState.ENDED:
        assert found.cause is not None
        assert found.started_at is not None
    else:
        assert found.cause is None
        assert (found.started_at is None) == (found.state is not ContainerState.RUNNING)
    if found.cause in (EndCause.NODE_LOST, EndCause.UNKNOWN):
        assert found.exit_code is None
    if facts.has_run(given_pod):
        assert found.state in (ContainerState.RUNNING, ContainerState.ENDED)
    assert replace(found) == facts.facts(given_pod, "worker", 1, NOW)


@pytest.mark.parametrize(
    ("fields", "runs"),
    [
        ({"gated": True, "node": "", "phase": "Pending"}, False),
        ({"phase": "Pending"}, True),
        ({"worker": running()}, True),
        ({"worker": terminated(0), "phase": "Running"}, False),
        ({"worker": terminated(0), "sidecar": running(started=True)}, True),
        ({"worker": terminated(0), "phase": "Succeeded"}, False),
        ({"sidecar": waiting("PodInitializing"), "phase": "Pending"}, False),
    ],
)
def test_a_pod_whose_containers_run_or_may_start_runs(fields: dict[str, Any], runs: bool) -> None:
    assert facts.runs(pod(**fields)) is runs
