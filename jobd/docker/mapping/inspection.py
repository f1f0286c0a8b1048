"""Converts the engine's inspect answers and events into the facts that `jobs` uses. Pure.

Source: Docker Engine API, ContainerInspect, ImageInspect, SystemEvents.
"""

from datetime import UTC, datetime

import msgspec

from jobd.docker.mapping import labels
from jobd.docker.mapping.failures import failure, plain
from jobd.jobs.port.model import ContainerFacts, ContainerState, EndCause, JobRef, Role

EVENT_ACTIONS = ("start", "die", "oom", "kill", "destroy")

NOT_STARTED = 128
"""The engine's exit code for a container that failed to start for any reason except its command."""
KILLED = 137
"""The exit code after SIGKILL from any sender: a person, the engine, the kernel's OOM killer."""
UNSEEN = 255
"""containerd's exit code for a process whose end was not observed; a process may also exit with 255 itself."""
_SIGNALS = range(NOT_STARTED + 1, NOT_STARTED + 65)
_STATES = {
    "created": ContainerState.CREATED,
    "running": ContainerState.RUNNING,
    "paused": ContainerState.RUNNING,
    "restarting": ContainerState.RUNNING,
    "exited": ContainerState.ENDED,
    "dead": ContainerState.ENDED,
}
_NEVER = "0001-01-01"
_LAST_NANO = 253_402_300_800 * 10**9


class State(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """`State` of ContainerInspect."""

    status: str
    exit_code: int = 0
    oom_killed: bool = msgspec.field(name="OOMKilled", default=False)
    error: str = ""
    started_at: str = _NEVER
    finished_at: str = _NEVER


class ContainerConfig(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """`Config` of ContainerInspect: labels, user and whether the container has a terminal; the user is the image's if the job sets none."""

    user: str = ""
    tty: bool = False
    labels: dict[str, str] | None = None


class MountPoint(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """An entry of `Mounts` of ContainerInspect."""

    type: str = ""
    name: str = ""
    destination: str = ""


LONGEST_ID = 128
"""The engine's ids have 64 characters. A longer id is not cached: jobd then inspects the container by name each time."""


class Inspected(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """The part of ContainerInspect that jobd reads."""

    id: str
    state: State
    config: ContainerConfig
    created: str = ""
    mounts: list[MountPoint] | None = None

    @property
    def has_host_mounts(self) -> bool:
        """True if files of the engine's machine are mounted in the container."""
        return any(mount.type == "bind" for mount in self.mounts or ())

    @property
    def never_started(self) -> bool:
        """True for a created container whose process has never run, also during its removal."""
        return (
            self.state.status in ("created", "removing", "dead")
            and parse_timestamp(self.state.started_at) is None
        )


class _Actor(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    id: str = msgspec.field(name="ID", default="")
    attributes: dict[str, str] = msgspec.field(name="Attributes", default_factory=dict)


class EngineEvent(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """The part of an event that jobd reads."""

    type: str = ""
    action: str = ""
    actor: _Actor = _Actor()
    time_nano: int = msgspec.field(name="timeNano", default=0)


def parse_timestamp(text: str) -> datetime | None:
    """Returns the engine's RFC 3339 time as aware UTC, to the microsecond; None for the zero time and for invalid text."""
    if not text or text.startswith(_NEVER):
        return None
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def facts(inspected: Inspected, ref: JobRef, instance: str) -> ContainerFacts | None:
    """Returns the facts of one of the job's containers, of any attempt; None if the container is not this job's."""
    owner = labels.ref_of(inspected.config.labels, instance)
    if owner is None or owner.uid != ref.uid:
        return None
    state = inspected.state
    refused = inspected.never_started and state.error != ""
    where = _STATES.get(state.status, ContainerState.GONE)
    ended = where is ContainerState.ENDED
    started, finished = parse_timestamp(state.started_at), parse_timestamp(state.finished_at)
    if started is not None and finished is not None:
        # The engine records the start late: the recorded end of a short container may precede its recorded start.
        finished = max(started, finished)
    why = failure("start", 400, state.error) if refused else None
    return ContainerFacts(
        id=inspected.id,
        state=where,
        attempt=owner.attempt,
        started_at=started,
        finished_at=finished,
        exit_code=state.exit_code if ended or refused else None,
        cause=_cause(state.exit_code, state.oom_killed) if ended else None,
        error=why.words if why else plain(state.error),
        start_may_pass=why is not None and why.meaning == "passing",
        frozen=state.status == "paused",
    )


def _cause(code: int, oom_killed: bool) -> EndCause:
    # The engine sets OOMKilled also if the kernel killed a process other than the container's first one.
    if oom_killed and code == KILLED:
        return EndCause.OUT_OF_MEMORY
    return EndCause.SIGNAL if code in _SIGNALS else EndCause.OWN_EXIT


def ref_of_event(event: EngineEvent, instance: str) -> JobRef | None:
    """Returns the event's job of this instance; None if the event is about no such job."""
    if event.type != "container" or event.action not in EVENT_ACTIONS:
        return None
    return labels.ref_of(event.actor.attributes, instance)


def role_of_event(event: EngineEvent) -> Role | None:
    """Returns the role of the event's container."""
    name = event.actor.attributes.get(labels.JOB_TYPE)
    return next((role for role in labels.ROLES if role == name), None)


def facts_of_event(event: EngineEvent, attempt: int) -> ContainerFacts | None:
    """Returns the facts in a `start` or `die` event; the exit codes of event and inspect agreed in all measurements. An event does
    not explain an ambiguous exit code.
    """
    if not 0 < len(event.actor.id) <= LONGEST_ID or not 0 < event.time_nano < _LAST_NANO:
        return None
    at = datetime.fromtimestamp(event.time_nano / 1e9, UTC)
    if event.action == "start":
        return ContainerFacts(event.actor.id, ContainerState.RUNNING, attempt, started_at=at)
    code = event.actor.attributes.get("exitCode", "")
    if event.action == "die" and code.isascii() and code.isdecimal() and len(code) < 10:
        cause = EndCause.UNKNOWN if int(code) in (KILLED, UNSEEN) else _cause(int(code), False)
        return ContainerFacts(
            event.actor.id, ContainerState.ENDED, attempt, finished_at=at, exit_code=int(code), cause=cause
        )
    return None


def joined_container(network_mode: str) -> str:
    """Returns the id of the container whose network a container joins; empty: none."""
    kind, _, container_id = network_mode.partition(":")
    return container_id if kind == "container" else ""


def sandbox_removed(status: int, message: str, container_id: str) -> bool:
    """True if the container that the engine does not find is the one whose network this container joins: nothing has run."""
    return status == 404 and "no such container" in message.lower() and container_id not in message


def network_missing(status: int, message: str) -> bool:
    """True if the engine refused a start because the container's network does not exist, or exists twice: nothing has run."""
    text = message.lower()
    return "network" in text and ((status == 404 and "not found" in text) or "is ambiguous" in text)
