"""The values that `jobs` and an engine exchange: jobs, containers, images, logs and sizes. Closed types.

Owns no behaviour. Knows no engine: the adapter maps its engine's answers to these values.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Literal

import msgspec

from jobd.wire.job import JobSpec

Role = Literal["worker", "sidecar"]
StreamName = Literal["stdout", "stderr"]

MAX_UID = 64
"""The longest uid of a job, in characters; `new_record` generates uids of 24."""


@dataclass(frozen=True, slots=True)
class JobRef:
    """One attempt of one job: the source of its containers' names and labels."""

    uid: str
    id: str
    attempt: int = 1


class ContainerState(Enum):
    """A container's state."""

    CREATED = "created"
    """The container exists and has not run; its start may have failed."""
    STARTING = "starting"
    """The engine has taken the request to start the container and carries it out later: it places the container on a machine, or pulls its
    image. The container has not run.
    """
    RUNNING = "running"
    """The container's process runs, or is frozen."""
    ENDED = "ended"
    """The container's process has ended; its log can be read."""
    GONE = "gone"
    """The container is being removed; its log can no longer be read."""


class EndCause(Enum):
    """What ended a container, beside the exit code."""

    OWN_EXIT = "own-exit"
    """The process ended by itself."""
    SIGNAL = "signal"
    """A signal, by the exit code: no engine can distinguish that from a process that exits with the same code."""
    OUT_OF_MEMORY = "out-of-memory"
    """The kernel killed the process for its memory limit."""
    DEADLINE = "deadline"
    """The engine ended the container at its deadline."""
    ENGINE_STOPPED = "engine-stopped"
    """The engine was stopped or killed, and the container with the engine. The exit code says nothing of the process."""
    EVICTED = "evicted"
    """The engine evicted the container: for a container of higher priority, or because its node lacked resources."""
    NODE_LOST = "node-lost"
    """The container's machine is lost. There is no exit code."""
    NOT_EXECUTED = "not-executed"
    """The container's init could not execute the command, which does not exist (exit code 127) or is not executable (126)."""
    UNKNOWN = "unknown"
    """The engine does not report the cause. An exit code may have another meaning."""


@dataclass(frozen=True, slots=True)
class ContainerFacts:
    """What the engine reports of one container.

    `exit_code` and `cause` only after an end; `exit_code` also after a failed start, which leaves the state `created` with the reason
    in `error`. After an end, `error` says what else the job's owner should know of the end. `cause` follows from the container's own facts; `end_cause` asks the engine further.
    `start_may_pass`: the start failed because of the machine's or the engine's state, and another start may succeed.
    `image_unavailable`: the container cannot run, since its image does not exist or may not be pulled; `error` has the reason.
    `pending`: why a start that is under way takes its time, for people.
    `frozen`: the processes of a running container stand still (`Freezing`), whoever asked for that.
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
    image_unavailable: bool = False
    pending: str = ""
    frozen: bool = False

    @property
    def ended(self) -> bool:
        """True if the container ran and has ended."""
        return self.state is ContainerState.ENDED and self.started_at is not None


@dataclass(frozen=True, slots=True)
class Observation:
    """The state of a job's containers. None: the engine reports that the container does not exist."""

    worker: ContainerFacts | None
    sidecar: ContainerFacts | None


@dataclass(frozen=True, slots=True)
class StartFate:
    """The result of a requested start that the engine never answered.

    `never`: the container is removed, has not run and never will. `began`: the container has run; `end` is set if the container is
    removed already. `unknown`: the container is removed, and the engine does not report whether the container ran.
    """

    kind: Literal["never", "began", "unknown"]
    end: ContainerFacts | None = None


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """A local image: its id, and its digest if any."""

    id: str
    digest: str | None


@dataclass(frozen=True, slots=True)
class Unsupported:
    """What a job asks for and an engine does not have: the spec's field, and a sentence with the reason."""

    field: str
    reason: str


@dataclass(frozen=True, slots=True)
class HostMount:
    """A file or folder `source` of the engine's machine, at the path `target` of the worker."""

    source: str
    target: str
    read_only: bool


@dataclass(frozen=True, slots=True)
class WorkOrder:
    """The input for preparing one attempt. `sidecar`: True if the job needs a sidecar. `files`: a tar to unpack in the workspace.
    `image_ready`: `prepare` has reported the image of this attempt before, and does not pull again.
    `gpus`: the ids of the devices that the worker gets. `sources`: the earlier jobs whose workspaces the sidecar reads, by the id
    under which the order names them. `workspace_of`: the attempt whose workspace this job takes over; this job then gets no worker.
    `mounts`: the files and folders of the engine's machine that the worker gets, at paths without links that were checked just now.
    `files_awaited`: another job is to take files of this one.
    """

    ref: JobRef
    spec: JobSpec
    sidecar: bool
    files: Path | None = None
    image_ready: bool = False
    gpus: tuple[str, ...] = ()
    sources: Mapping[str, JobRef] = field(default_factory=dict)
    workspace_of: JobRef | None = None
    mounts: tuple[HostMount, ...] = ()
    files_awaited: bool = False


@dataclass(frozen=True, slots=True)
class Created:
    """The ids of the containers that `prepare` created or found."""

    worker_id: str
    sidecar_id: str | None


@dataclass(frozen=True, slots=True)
class EngineFacts:
    """The engine's name, versions and size: cores, bytes of memory. `has_sidecar_image`: the sidecar image is local.
    `shares_files`: the engine can mount files of this machine. `own_paths`: the engine's own sockets and data, which no job may have.
    `problems`: what keeps jobd from using all of the engine, a sentence each.
    """

    name: str
    version: str
    api_version: str
    cpus: int
    memory_bytes: int
    platform: str
    has_sidecar_image: bool = False
    details: Mapping[str, str] = field(default_factory=dict)
    shares_files: bool = True
    own_paths: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DiskUse:
    """The disk use of this jobd's containers and volumes on the engine; sizes in bytes, without images."""

    containers: int
    container_bytes: int
    volumes: int
    volume_bytes: int


@dataclass(frozen=True, slots=True)
class Usage:
    """A worker's use so far: seconds of CPU, and the highest measured memory in bytes."""

    cpu_s: float
    memory_peak_bytes: int


@dataclass(frozen=True, slots=True)
class ImagePull:
    """How far the pull of an image is: the downloaded bytes of its layers, and how many layers are complete. `total_bytes`: None where unknown,
    as `layers` is 0.
    """

    done_bytes: int
    total_bytes: int | None
    layers_done: int = 0
    layers: int = 0

    @property
    def text(self) -> str:
        """The same for people: `pulling 12.3 / 40.1 MB, 3 of 7 layers`."""
        parts = []
        if self.total_bytes:
            parts.append(f"{self.done_bytes / 1e6:.1f} / {self.total_bytes / 1e6:.1f} MB")
        if self.layers:
            parts.append(f"{self.layers_done} of {self.layers} layers")
        return f"pulling {', '.join(parts)}".rstrip()


Progress = str | ImagePull
"""What an engine does to prepare a job: a text for people, or a pull."""


@dataclass(frozen=True, slots=True)
class WindowSize:
    """The size of a terminal, in characters."""

    columns: int
    rows: int


@dataclass(frozen=True, slots=True)
class Command:
    """A command to run beside a worker. `environment` is added to the worker's; `workdir` and `user` None: the worker's own. `stdin`: the
    caller feeds the command's input. `tty`: the command has a terminal, of this `size` if given.
    """

    arguments: tuple[str, ...]
    stdin: bool = False
    tty: bool = False
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    workdir: str | None = None
    user: str | None = None
    size: WindowSize | None = None


LogCursor = msgspec.Raw
"""The position up to which a container's log has been read, as JSON that the adapter writes and reads; `jobs` stores the cursor
unchanged. An adapter reads the cursors of its older versions.
"""
LOG_START = LogCursor(b"{}")
"""The cursor before the first line. Every adapter accepts this cursor."""


@dataclass(frozen=True, slots=True)
class RawLine:
    """One line of a container's log, without its newline. `time` is the engine's RFC 3339 text. `raw`: the line's bytes, if
    they are no UTF-8 and `text` has replacement characters. `partial`: the engine cut a very long line here. `newline`: a newline
    follows the line; False if the stream ends without a newline, None if the engine's log does not show that.
    `gap`: why lines before this line are missing; an empty `partial` line carries the gap alone.
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
    """Lines that arrived together, in the order of the log. `cursor` is the position after these lines, in both streams."""

    lines: Sequence[RawLine]
    cursor: LogCursor
