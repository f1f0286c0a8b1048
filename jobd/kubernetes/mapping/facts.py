"""A Pod as the port's facts: the state of each container, when it ran, and what ended it.

Pure. Times are the kubelet's, in whole seconds. The worker's id is the Pod's uid, the sidecar's the same with a suffix.

Source: Kubernetes documentation, "Pod Lifecycle"; Kubernetes documentation, "Disruptions".
"""

import re
from dataclasses import replace
from datetime import datetime, timedelta

from jobd.jobs.port.model import ContainerFacts, ContainerState, EndCause, Role
from jobd.kubernetes.mapping import labels
from jobd.kubernetes.mapping.models import Condition, ContainerStatus, Pod, Terminated, Waiting
from jobd.kubernetes.mapping.pod import SIDECAR, START_GATE, WORKER
from jobd.kubernetes.mapping.quantities import timestamp

PULL_LIMIT = timedelta(minutes=30)
"""How long the kubelet may try to pull an image."""
NOT_FOUND, NOT_EXECUTABLE, NOT_STARTED = 127, 126, 128
ENDED_PHASES = ("Succeeded", "Failed")

_NO_IMAGE = ("ErrImageNeverPull", "InvalidImageName")
_NO_PULL = ("ErrImagePull", "ImagePullBackOff")
_ABSENT = re.compile(
    r"not found|manifest unknown|does not exist|pull access denied|unauthorized|authentication required|denied|no match for platform",
    re.IGNORECASE,
)
_CONFIG = "CreateContainerConfigError"
_UNMADE = (_CONFIG, "CreateContainerError", "RunContainerError")
_NODE_LOST = ("DeletionByTaintManager", "DeletionByPodGC")
_DISRUPTED = ("PreemptionByScheduler", "EvictionByEvictionAPI", "TerminationByKubelet")
_EVICTED = ("Evicted", "Preempting", "Preempted", "NodeShutdown", "Terminated")
_UNKNOWN = "ContainerStatusUnknown"
_INTERRUPTED = re.compile(
    r"context canceled|deadline exceeded|connection refused|transport is closing|ttrpc: closed"
)
"""How a start fails that the end of the kubelet or of the container runtime has interrupted."""
_SIGNALS = range(129, 129 + 64)


def worker_id(pod: Pod) -> str:
    """Returns the worker's id."""
    return pod.metadata.uid


def sidecar_id(pod: Pod) -> str:
    """Returns the sidecar's id."""
    return f"{pod.metadata.uid}-{SIDECAR}"


def facts(pod: Pod, role: Role, attempt: int, now: datetime) -> ContainerFacts | None:
    """Returns the facts of a Pod's worker or sidecar; None for a sidecar that the Pod does not have. `now` bounds a pull."""
    if role == "sidecar":
        return _sidecar(pod, attempt)
    return _worker(pod, attempt, now)


def status_of(pod: Pod, name: str) -> ContainerStatus | None:
    """Returns the kubelet's report of a container; None if there is none yet."""
    statuses = (*pod.status.container_statuses, *pod.status.init_container_statuses)
    return next((one for one in statuses if one.name == name), None)


def has_sidecar(pod: Pod) -> bool:
    """Returns whether the Pod has a sidecar."""
    return any(one.name == SIDECAR for one in pod.spec.init_containers)


def has_run(pod: Pod) -> bool:
    """Returns whether the worker runs or has run."""
    found = status_of(pod, WORKER)
    if found is None:
        return False
    return found.state.running is not None or (
        found.state.terminated is not None and timestamp(found.state.terminated.started_at) is not None
    )


def has_begun(pod: Pod, name: str) -> bool:
    """Returns whether a container runs, or has run or failed to: then it has a log, if an empty one."""
    found = status_of(pod, name)
    if found is None:
        return False
    return found.state.running is not None or found.state.terminated is not None or found.restart_count > 0


def sidecar_runs(pod: Pod) -> bool:
    """Returns whether the sidecar runs, for the first time."""
    found = status_of(pod, SIDECAR)
    return found is not None and found.state.running is not None and not found.restart_count


def runs(pod: Pod) -> bool:
    """Returns whether a container of the Pod runs, or may be about to."""
    if pod.status.phase in ENDED_PHASES or is_gated(pod):
        return False
    worker = status_of(pod, WORKER)
    is_over = worker is not None and worker.state.terminated is not None
    if not is_over and not is_held(pod) and pod.metadata.deletion_timestamp is None:
        return True
    return any(
        found is not None and found.state.running is not None
        for found in (status_of(pod, WORKER), status_of(pod, SIDECAR))
    )


def is_gated(pod: Pod) -> bool:
    """Returns whether the Pod awaits jobd's word to be placed on a node."""
    return any(gate.name == START_GATE for gate in pod.spec.scheduling_gates)


def is_held(pod: Pod) -> bool:
    """Returns whether the worker awaits jobd's word: by the gate, or by the sidecar's probe."""
    if is_gated(pod):
        return True
    sidecar = status_of(pod, SIDECAR)
    return has_sidecar(pod) and (sidecar is None or not sidecar.started)


def waits_for(pod: Pod, name: str = WORKER) -> str:
    """Returns why a container does not run yet, for people; empty if the Pod does not say."""
    unplaced = condition(pod, "PodScheduled")
    if unplaced is not None and unplaced.status == "False" and unplaced.reason != "SchedulingGated":
        return f"a node: {unplaced.message or unplaced.reason}"
    found = status_of(pod, name)
    waiting = found.state.waiting if found is not None else None
    if waiting is None or waiting.reason in ("", "PodInitializing", "ContainerCreating"):
        return "its node to start the container" if pod.spec.node_name else ""
    return f"{waiting.reason}: {waiting.message}" if waiting.message else waiting.reason


def condition(pod: Pod, kind: str) -> Condition | None:
    """Returns a condition of the Pod."""
    return next((one for one in pod.status.conditions if one.type == kind), None)


def image_trouble(pod: Pod, name: str, now: datetime) -> str | None:
    """Returns why a container's image cannot be had, once trying again does not help."""
    found = status_of(pod, name)
    waiting = found.state.waiting if found is not None else None
    if waiting is None:
        return None
    why = waiting.message or waiting.reason
    if waiting.reason in _NO_IMAGE or (waiting.reason in _NO_PULL and _ABSENT.search(why)):
        return why
    placed = condition(pod, "PodScheduled")
    since = timestamp(placed.last_transition_time) if placed is not None else None
    if waiting.reason in _NO_PULL and since is not None and now - since > PULL_LIMIT:
        return f"the image was not pulled within half an hour: {why}"
    return None


def _worker(pod: Pod, attempt: int, now: datetime) -> ContainerFacts:
    base = ContainerFacts(id=worker_id(pod), state=ContainerState.CREATED, attempt=attempt)
    found = status_of(pod, WORKER)
    if found is not None and found.state.running is not None:
        return _running(base, pod, timestamp(found.state.running.started_at) or now)
    if found is not None and found.state.terminated is not None:
        return _ended(base, pod, found.state.terminated)
    if pod.status.phase in ENDED_PHASES:
        return _never_reported(base, pod)
    if is_held(pod):
        return base
    trouble = image_trouble(pod, WORKER, now)
    if trouble is not None:
        return replace(base, image_unavailable=True, error=f"{_image(pod)}: {trouble}")
    waiting = found.state.waiting if found is not None else None
    if waiting is not None and waiting.reason in _UNMADE:
        code = _start_code(waiting.message)
        if waiting.reason == _CONFIG or code != NOT_STARTED:  # the kubelet tries the others again
            return replace(base, exit_code=code, error=_start_error(waiting))
    return replace(base, state=ContainerState.STARTING, pending=waits_for(pod))


def _sidecar(pod: Pod, attempt: int) -> ContainerFacts | None:
    if not has_sidecar(pod):
        return None
    base = ContainerFacts(id=sidecar_id(pod), state=ContainerState.CREATED, attempt=attempt)
    found = status_of(pod, SIDECAR)
    if found is None:
        return base
    # The kubelet starts a sidecar that has ended again, without the order: for jobd it has ended.
    ended = found.last_state.terminated if found.restart_count else found.state.terminated
    if ended is not None:
        return _ended(base, pod, ended)
    if sidecar_runs(pod) and not lacks_order(pod):
        began = found.state.running.started_at if found.state.running is not None else None
        return _running(base, pod, timestamp(began))
    return base


def _running(base: ContainerFacts, pod: Pod, began: datetime | None) -> ContainerFacts:
    """A container that runs by the kubelet's last report. In a Pod that has ended there will be no other: its node is gone."""
    if pod.status.phase not in ENDED_PHASES:
        return replace(base, state=ContainerState.RUNNING, started_at=began)
    cause = disruption(pod) or EndCause.UNKNOWN
    return replace(base, state=ContainerState.ENDED, started_at=began, cause=cause, error=_told(pod))


def lacks_order(pod: Pod) -> bool:
    """Returns whether the Pod's sidecar is to get an order that jobd has not sent yet: for jobd it has not started then."""
    sidecar = next((one for one in pod.spec.init_containers if one.name == SIDECAR), None)
    return sidecar is not None and sidecar.stdin and not pod.metadata.annotations.get(labels.ORDERED)


def _ended(base: ContainerFacts, pod: Pod, ended: Terminated) -> ContainerFacts:
    began = timestamp(ended.started_at)
    if began is None and ended.reason != _UNKNOWN:
        # A Pod with a sidecar has the job's inputs: another start would need them again.
        passing = not has_sidecar(pod) and _INTERRUPTED.search(ended.message) is not None
        told = ended.message or ended.reason
        return replace(base, exit_code=_start_code(ended.message), error=told, start_may_pass=passing)
    cause = cause_of(pod, ended)
    known = cause not in (EndCause.UNKNOWN, EndCause.NODE_LOST)
    return replace(
        base,
        state=ContainerState.ENDED,
        started_at=began or timestamp(pod.metadata.creation_timestamp),
        finished_at=timestamp(ended.finished_at),
        exit_code=ended.exit_code if known else None,
        cause=cause,
        error=_told(pod) if cause is EndCause.EVICTED else "",
    )


def _never_reported(base: ContainerFacts, pod: Pod) -> ContainerFacts:
    """A Pod that has failed without a report of its worker: its node is lost, or refused the Pod."""
    cause = disruption(pod)
    if (
        cause is None
        and condition(pod, "PodReadyToStartContainers") is None
        and not pod.status.container_statuses
    ):
        # The node's own admission, after the scheduler's: nothing of the Pod has run there.
        return replace(base, exit_code=NOT_STARTED, error=_told(pod) or "the node refused the Pod")
    return replace(
        base,
        state=ContainerState.ENDED,
        started_at=timestamp(pod.metadata.creation_timestamp),
        cause=cause or EndCause.UNKNOWN,
        error=_told(pod),
    )


def cause_of(pod: Pod, ended: Terminated) -> EndCause:
    """Returns what ended a container that has run."""
    if ended.reason == _UNKNOWN:
        return disruption(pod) or EndCause.UNKNOWN
    if ended.reason == "OOMKilled" and ended.exit_code == 137:
        return EndCause.OUT_OF_MEMORY
    signalled = ended.exit_code in _SIGNALS
    if signalled:
        return disruption(pod) or EndCause.SIGNAL
    return EndCause.OWN_EXIT


def disruption(pod: Pod) -> EndCause | None:
    """Returns what took the Pod from its node; None if nothing did."""
    disrupted = condition(pod, "DisruptionTarget")
    reason = disrupted.reason if disrupted is not None and disrupted.status == "True" else ""
    if reason in _NODE_LOST or pod.status.reason == "NodeLost":
        return EndCause.NODE_LOST
    if reason in _DISRUPTED or pod.status.reason in _EVICTED:
        return EndCause.EVICTED
    return None


def _told(pod: Pod) -> str:
    disrupted = condition(pod, "DisruptionTarget")
    texts = (pod.status.message, disrupted.message if disrupted is not None else "", pod.status.reason)
    return next((text for text in texts if text), "")


def _start_code(message: str) -> int:
    if re.search(r"no such file or directory|executable file not found|not found in \$PATH", message):
        return NOT_FOUND
    if re.search(r"permission denied|exec format error|is a directory", message):
        return NOT_EXECUTABLE
    return NOT_STARTED


def _start_error(waiting: Waiting) -> str:
    return f"{waiting.reason}: {waiting.message}" if waiting.message else waiting.reason


def _image(pod: Pod) -> str:
    return next((one.image for one in pod.spec.containers if one.name == WORKER), "")
