"""What `jobs` and an engine exchange: jobs, containers, images, logs and sizes, as plain values of closed types.

Owns no behaviour. Knows no engine: the adapter decides which of these values its engine's answers stand for.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Literal

import msgspec

from jobd.wire.job import JobSpec

Role = Literal["worker", "sidecar"]
StreamName = Literal["stdout", "stderr"]

MAX_UID = 64
"""No job's uid has more characters; `new_record` makes them of 24."""


@dataclass(frozen=True, slots=True)
class JobRef:
    """One attempt of one job: what names and labels its containers."""

    uid: str
    id: str
    attempt: int = 1


class ContainerState(Enum):
    """Where a container is in its life."""

    CREATED = "created"
    """The container exists and has not run; its start may have failed."""
    RUNNING = "running"
    """The container's process runs, or is paused."""
    ENDED = "ended"
    """The container's process is over; its log can be read."""
    GONE = "gone"
    """The container is being removed: nothing of it can be read any more."""


class EndCause(Enum):
    """What ended a container. The exit code stands beside it."""

    OWN_EXIT = "own-exit"
    """Its process ended by itself."""
    SIGNAL = "signal"
    """A signal, or so the exit code says: no engine can tell that from a process that exits with such a code."""
    OUT_OF_MEMORY = "out-of-memory"
    """The kernel killed it for its memory limit."""
    DEADLINE = "deadline"
    """The engine ended it, since the time that the engine was given for it was over."""
    ENGINE_STOPPED = "engine-stopped"
    """The engine was stopped or killed, and the container with it. The exit code says nothing of the process."""
    EVICTED = "evicted"
    """The engine ended it to have its place for something else, or since its node was short of something."""
    NODE_LOST = "node-lost"
    """The machine that it ran on is gone. There is no exit code."""
    UNKNOWN = "unknown"
    """The engine does not tell. The exit code, where there is one, may stand for something else."""


@dataclass(frozen=True, slots=True)
class ContainerFacts:
    """What the engine says of one container.

    `exit_code` and `cause` only after an end; `exit_code` also after a start that failed, which leaves `created` with `error`, why it
    failed in plain words. `cause` is what the container's own facts say; `end_cause` asks further.
    `start_may_pass`: that start failed because of the machine's or the engine's state, and another one may succeed.
    `started_at` is None for a container that never ran.
    """

    id: str
    state: ContainerState
    attempt: int
    started_at: datetime | None = None
    finished_at: datetime | None = None
    exit_code: int | None = None
    cause: EndCause | None = None
    error: str = ""
    start_may_pass: bool = False

    @property
    def ended(self) -> bool:
        """True for a container that ran and is over."""
        return self.state is ContainerState.ENDED and self.started_at is not None


@dataclass(frozen=True, slots=True)
class Observation:
    """The state of a job's containers. None: the engine said that the container does not exist."""

    worker: ContainerFacts | None
    sidecar: ContainerFacts | None


@dataclass(frozen=True, slots=True)
class StartFate:
    """What is known of a start that was asked for and never answered.

    `never`: the container is removed, has not run and never will. `began`: the container has run; `end`, where it is gone already,
    else it can be observed. `unknown`: the container is gone, and the engine does not tell whether it ran.
    """

    kind: Literal["never", "began", "unknown"]
    end: ContainerFacts | None = None


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """A local image: its id, its digest where it has one, and `USER` as the image states it."""

    id: str
    digest: str | None
    user: str


@dataclass(frozen=True, slots=True)
class WorkOrder:
    """All that is needed to create a job's containers. `sidecar` only says that one is wanted. `image_user`: the image's
    `USER`, where it is known already (empty: none).
    """

    ref: JobRef
    spec: JobSpec
    sidecar: bool
    image_user: str | None = None


@dataclass(frozen=True, slots=True)
class Created:
    """The ids of the containers that `create` made or found, and who owns the workspace (resolved from the image)."""

    worker_id: str
    sidecar_id: str | None
    worker_uid: int
    worker_gid: int


@dataclass(frozen=True, slots=True)
class EngineFacts:
    """The engine's name, versions and size: cores, bytes of memory. `has_sidecar_image`: it need not be built or pulled."""

    name: str
    version: str
    api_version: str
    cpus: int
    memory_bytes: int
    platform: str
    has_sidecar_image: bool = False
    details: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DiskUse:
    """What the containers and volumes of this jobd take on the engine's disk; sizes in bytes, images not counted."""

    containers: int
    container_bytes: int
    volumes: int
    volume_bytes: int


@dataclass(frozen=True, slots=True)
class Usage:
    """What a worker has used so far: seconds of CPU, and the highest memory that was measured, in bytes."""

    cpu_s: float
    memory_peak_bytes: int


LogCursor = msgspec.Raw
"""How far a container's log has been read, as JSON that the adapter writes and reads; `jobs` stores it as it is, compares and changes
nothing in it. An adapter reads what its older versions wrote.
"""
LOG_START = LogCursor(b"{}")
"""Nothing has been read. Every adapter takes it."""


@dataclass(frozen=True, slots=True)
class RawLine:
    """One line of a container's log, without its newline. `time` is the engine's RFC 3339 text. `raw`: the line's bytes, where
    they are no UTF-8 and `text` has replacement characters for them. `partial`: a very long line, cut here. `newline`: one
    follows the line; False where the stream ends without, None where the engine's log does not tell.
    `gap`: lines before this one are gone, and why; with an empty `partial` line, only that is said.
    """

    stream: StreamName
    time: str
    text: str
    partial: bool = False
    gap: str | None = None
    raw: bytes | None = None
    newline: bool | None = True


@dataclass(frozen=True, slots=True)
class LogBatch:
    """Lines that arrived together, in the order of the log. `cursor` stands after them, in both streams."""

    lines: Sequence[RawLine]
    cursor: LogCursor
