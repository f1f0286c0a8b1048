"""What `jobs` needs of a container engine, as Protocols and the plain facts that they exchange.

Owns no behaviour but where a log is read on after some lines. `jobd/docker` implements them on the Docker Engine, `tests/support/fakes` in memory; both pass the
same suite in `tests/contract`. All calls are safe to repeat unless they say otherwise.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Literal, Protocol

from jobd.wire.job import JobSpec, Pull
from jobd.wire.report import SidecarOrder

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


@dataclass(frozen=True, slots=True)
class ContainerFacts:
    """What the engine says of one container. `state` is the engine's word: created, running, exited, dead, removing...

    `exit_code` only after an end, or after a start that failed, which leaves `created` with `error`, why it failed in plain words.
    `start_may_pass`: that start failed because of the machine's state, and another one may succeed.
    `started_at` is None for one that never ran.
    """

    id: str
    state: str
    attempt: int
    started_at: datetime | None = None
    finished_at: datetime | None = None
    exit_code: int | None = None
    oom_killed: bool = False
    error: str = ""
    start_may_pass: bool = False

    @property
    def ended(self) -> bool:
        """True for a container that ran and is over."""
        return self.state in ("exited", "dead") and self.started_at is not None


@dataclass(frozen=True, slots=True)
class Observation:
    """One look at a job. None means that the engine said 404: the container does not exist."""

    worker: ContainerFacts | None
    sidecar: ContainerFacts | None


@dataclass(frozen=True, slots=True)
class StartFate:
    """What is known of a start that was asked for and never answered.

    `never`: the container is removed, has not run and never will. `began`: it has run; `end`, where the container is gone already,
    else it is there to be looked at. `unknown`: the container is gone, and nothing says whether it ran.
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
    """All that is needed to make a job's containers. `sidecar` only says that one is wanted. `image_user`: the image's
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
    """The engine's size and versions: cores, bytes of memory. `has_sidecar_image`: it need not be built or pulled."""

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
    """What a worker has used so far: seconds of CPU, and the most memory at once, in bytes, as far as was seen."""

    cpu_s: float
    memory_peak_bytes: int


@dataclass(frozen=True, slots=True)
class LogCursor:
    """How far one stream of a log has been read: `taken` bytes of what the stream holds under `timestamp`.

    A timestamp is compared for equality alone, since the engine's clock may be set while a container runs. `check`: a CRC-32 of
    the bytes taken and of the timestamp before them, which tells this place from a similar one; None in cursors of older
    versions. `beside`: a later place, in the other stream, up to which this stream has been read as well.
    An empty timestamp stands for the start of the log.
    """

    timestamp: str
    taken: int = 0
    check: int | None = None
    beside: "LogCursor | None" = None


@dataclass(frozen=True, slots=True)
class RawLine:
    """One line of a container's log, without its newline. `time` is the engine's RFC 3339 text. `raw`: the line's bytes, where
    they are no UTF-8 and `text` has replacement characters for them. `partial`: a very long line, cut here. `newline`: one
    follows the line; False where the stream ends without, None where the engine's log does not tell.
    `gap`: lines before this one are gone, and why; with an empty `partial` line, only that is said. `cursor` stands after this
    line in its stream. `level`: everything that the other stream holds before this place is read too.
    """

    stream: StreamName
    time: str
    text: str
    cursor: LogCursor
    partial: bool = False
    gap: str | None = None
    level: bool = False
    raw: bytes | None = None
    newline: bool | None = True


def cursors_after(
    cursors: Mapping[StreamName, LogCursor], lines: Iterable[RawLine]
) -> dict[StreamName, LogCursor]:
    """Returns where reading goes on after `lines`, which were read from `cursors` on."""
    own = dict(cursors)
    beside = {stream: cursor.beside for stream, cursor in own.items()}
    for line in lines:
        own[line.stream], beside[line.stream] = line.cursor, line.cursor.beside
        if line.level:
            other: StreamName = "stderr" if line.stream == "stdout" else "stdout"
            beside[other] = line.cursor
            if other not in own:
                own[other] = LogCursor(line.cursor.timestamp, 0, 0)  # the stream has printed nothing
    return {stream: replace(cursor, beside=beside[stream]) for stream, cursor in own.items()}


@dataclass(frozen=True, slots=True)
class Hint:
    """Something happened: look at this job (`uid`), or, with None, at all of them (the engine was reached again).

    `facts`: what the engine said along with a start or an end, where it said enough to spare a look: a container that
    has just ended is locked by the engine until its network and mounts are taken down. An end carries no `started_at`.
    """

    uid: str | None
    role: Role | None = None
    action: str = ""
    facts: ContainerFacts | None = None


class EngineError(Exception):
    """Base of what an engine call raises. `code` is kebab-case, `remedy` says what helps."""

    code = "engine-error"
    remedy = ""

    @property
    def advice(self) -> str:
        """What went wrong and what helps, for the job's owner."""
        return f"{self}; {self.remedy}" if self.remedy else str(self)


class EngineUnavailable(EngineError):
    """The engine did not answer, or answered that it cannot now. Nothing is known; ask again.

    `answered`: the engine said so itself and may go on saying so, while it serves others. Such an answer is asked for again for a
    bounded time. Where no answer came, the engine as a whole is away, and its return is waited for.
    """

    code = "engine-unavailable"

    def __init__(self, message: str = "", *, answered: bool = False) -> None:
        super().__init__(message)
        self.answered = answered


class LogUnreadable(EngineUnavailable):
    """The engine answers, and could not give the log. Asking again may help."""

    code = "log-unreadable"


class ContainerGone(EngineError):
    """The container does not exist, and what it has printed is gone with it."""

    code = "container-gone"


class ImageUnavailable(EngineError):
    """The image does not exist, may not be pulled, or is for another platform. Asking again does not help."""

    code = "image-not-found"


class RefusedByEngine(EngineError):
    """The engine understood and refused (for example a runtime that it does not have)."""

    code = "refused-by-engine"


class StartFailed(EngineError):
    """The container did not start: no such command (127), not executable (126). `exit_code` is the engine's."""

    code = "start-failed"

    def __init__(self, message: str, exit_code: int = 128) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class NoSuchFile(EngineError):
    """The path does not exist in the workspace, or the job's containers are gone."""

    code = "file-not-found"


class FilesChanged(EngineError):
    """The engine did not read the files to their end: they changed meanwhile, or it broke off."""

    code = "files-changed"
    remedy = "copy them again, or when the job has ended"


class Lifecycle(Protocol):
    """Making, starting and looking at a job's containers.

    Every call raises EngineUnavailable where the engine's answer is not known.
    """

    async def ensure_image(
        self, image: str, pull: Pull, platform: str | None, on_progress: Callable[[str], None]
    ) -> ImageFacts:
        """Pulls as the policy says; `on_progress` gets short texts ("pulling 12.3 / 40.1 MB").

        Raises: ImageUnavailable.
        """
        ...

    async def create(self, order: WorkOrder, files: Path | None) -> Created:
        """Makes volume, worker and (where wanted) sidecar, not started; puts the tar `files` into the workspace.

        What this attempt already has is taken over as it is; containers of an earlier attempt under the same
        names, and ones of this attempt that were made but not filled, are removed first.
        Raises: RefusedByEngine, ImageUnavailable.
        """
        ...

    async def start_sidecar(self, ref: JobRef, order: SidecarOrder) -> None:
        """Attaches, starts, writes the order to its stdin, closes it. Not repeated on a running sidecar."""
        ...

    async def start_worker(self, ref: JobRef) -> None:
        """Starts the worker. Never repeated by itself: an answer that was lost raises EngineUnavailable.

        Raises: StartFailed.
        """
        ...

    async def observe(self, ref: JobRef) -> Observation:
        """Looks at both containers of this job. A container of another attempt shows its own `attempt`."""
        ...

    async def signal(self, ref: JobRef, role: Role, signal: str) -> None:
        """Sends a signal by name ("SIGTERM"). A container that is gone or does not run is no error."""
        ...


class Removal(Protocol):
    """Removing a job's containers. Absent is fine; what lacks our labels is never touched.

    Every call raises EngineUnavailable where the engine's answer is not known.
    """

    async def remove(self, ref: JobRef, role: Role | None = None) -> None:
        """Removes by force this job's containers with their anonymous volumes, and with no `role` the workspace volume too.

        Only for a job or an attempt whose end is on record.
        Raises: RefusedByEngine: something else uses the volume.
        """
        ...

    async def remove_stopped(self, ref: JobRef) -> None:
        """Removes this job's containers and the workspace volume, and kills nothing.

        Raises: EngineUnavailable, also where a container runs. RefusedByEngine: something else uses the volume.
        """
        ...

    async def remove_unstarted(self, ref: JobRef, role: Role, container_id: str) -> StartFate:
        """Removes a container whose start was asked for and may still be under way, unless it has run.

        A start that comes later finds no container. Never kills what runs.
        """
        ...


class Streams(Protocol):
    """What flows out of containers."""

    def logs(
        self, ref: JobRef, role: Role, cursors: Mapping[StreamName, LogCursor], follow: bool
    ) -> AsyncGenerator[list[RawLine], None]:
        """Yields lines after the cursors, in the batches in which they arrive (bounded in count and bytes).

        Without `follow`, ends when the stored log has been read to its end, an unterminated last line included.
        With `follow`, goes on until the container ends, and keeps an unterminated line back.

        Raises:
            ContainerGone: nothing more can be read. EngineUnavailable: the connection broke. LogUnreadable: the engine could not
            give the log; ask again from the last cursor.
        """
        ...

    def output(self, ref: JobRef) -> AbstractAsyncContextManager[AsyncIterator[tuple[StreamName, bytes]]]:
        """Gives what the worker prints from now on, in pieces as they come, until it ends: all of it, where it is entered before
        the worker's start. While nobody takes the pieces, the worker waits.

        Raises: ContainerGone, EngineUnavailable: the connection broke, or the engine sends what cannot be read.
        """
        ...

    def hints(self) -> AsyncGenerator[Hint, None]:
        """Yields hints for ever, reconnecting by itself with a growing pause; `Hint(None)` after each connect."""
        ...


class Files(Protocol):
    """Files out of a job's workspace, while its worker container exists."""

    def open_tar(self, ref: JobRef, path: str) -> AsyncGenerator[bytes, None]:
        """Streams the file or folder at the absolute container path as tar.

        What ends without an error is a whole tar. Raises: NoSuchFile before the first byte. FilesChanged. EngineUnavailable.
        """
        ...


class Engine(Protocol):
    """The engine as a whole."""

    async def ping(self) -> EngineFacts:
        """Asks the engine who it is. Raises EngineUnavailable."""
        ...

    async def usage(self, ref: JobRef) -> Usage | None:
        """Measures the running worker; None where it does not run, or the engine cannot tell. Raises EngineUnavailable."""
        ...

    async def was_up_throughout(self, container: ContainerFacts) -> bool | None:
        """Tells whether the engine has been up from before the start of this ended container until after its end was seen.

        True: what ended the container was not the engine's own end. False: the engine was started again in between. None: the
        engine's record does not tell. Raises EngineUnavailable, also while the engine is being stopped.
        """
        ...

    async def killed_for_memory(self, container: ContainerFacts) -> bool:
        """Tells of a container that ended with 137, and whose facts say nothing of memory, whether the kernel killed it for its limit all
        the same: the engine may learn that a moment after the end. False too where it cannot be asked. Never raises.
        """
        ...

    async def refs(self) -> list[JobRef]:
        """Lists the jobs of this instance of jobd of which any container or volume exists."""
        ...

    async def disk_use(self) -> DiskUse:
        """Measures the containers and volumes of this instance; may take seconds. Raises EngineUnavailable."""
        ...

    async def ensure_sidecar_image(self) -> None:
        """Finds, pulls or builds the sidecar image. Raises ImageUnavailable with what to do."""
        ...


class Orchestrator(Lifecycle, Removal, Streams, Files, Engine, Protocol):
    """All of the above in one object, as the composition root passes it on."""
