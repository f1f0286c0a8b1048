"""What `jobs` requires of a container engine: small Protocols; each caller depends on those that the caller uses.

`jobd/docker` implements all of them on the Docker Engine, `tests/support/fakes` in memory; both pass the suite in `tests/contract`.
Every call may be repeated unless its text says otherwise. Every call raises EngineUnavailable if its result is unknown, even if
its text names only further errors.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Protocol

from jobd.jobs.port.hints import Hint
from jobd.jobs.port.model import (
    ContainerFacts,
    Created,
    DiskUse,
    EndCause,
    EngineFacts,
    ImageFacts,
    JobRef,
    LogBatch,
    LogCursor,
    Observation,
    Role,
    StartFate,
    StreamName,
    Usage,
    WorkOrder,
)
from jobd.wire.job import Pull
from jobd.wire.report import SidecarOrder


class Images(Protocol):
    """Pulling images before containers are created."""

    async def ensure_image(
        self, image: str, pull: Pull, platform: str | None, on_progress: Callable[[str], None]
    ) -> ImageFacts:
        """Pulls by the policy; `on_progress` gets short texts ("pulling 12.3 / 40.1 MB").

        An engine that pulls after scheduling only checks the name here, and reports the pull from `create` on.
        Raises: ImageUnavailable.
        """
        ...

    async def ensure_sidecar_image(self) -> None:
        """Finds, pulls or builds the sidecar image. An engine may leave that to `create`. Raises: ImageUnavailable with a remedy."""
        ...


class Containers(Protocol):
    """Creating, starting, observing and signalling a job's containers."""

    async def create(self, order: WorkOrder, files: Path | None) -> Created:
        """Creates volume, worker and, if needed, sidecar without starting them; puts the tar `files` into the workspace.

        Reuses containers of this attempt that have run. First removes containers of an earlier attempt under the same names, and
        containers of this attempt that were created and not filled. An engine may start the sidecar here, before its order is sent.
        Raises: RefusedByEngine, ImageUnavailable.
        """
        ...

    async def start_sidecar(self, ref: JobRef, order: SidecarOrder) -> None:
        """Starts the sidecar and sends its order, once: a sidecar that runs or has run gets no second order.

        Raises: StartFailed.
        """
        ...

    async def start_worker(self, ref: JobRef) -> None:
        """Starts the worker, at most once per attempt; the engine never repeats a start by itself. EngineUnavailable: the answer is
        lost, and the worker may have started.

        Raises: StartFailed.
        """
        ...

    async def observe(self, ref: JobRef) -> Observation:
        """Reads the state of this job's containers. A container of another attempt has that attempt's number."""
        ...

    async def end_cause(self, ref: JobRef, role: Role, ended: ContainerFacts) -> EndCause:
        """Returns what ended this container, which `observe` has returned as ended and whose end was not ordered through this port.

        May take seconds: some engines report the cause after the end. If the facts of the end suffice, returns their `cause`.
        Raises EngineUnavailable, also while the cause is unknown; an adapter decides on the cause after a bounded time.
        """
        ...

    async def signal(self, ref: JobRef, role: Role, signal: str) -> None:
        """Sends a signal by name ("SIGTERM"). A container that is removed or does not run is no error.

        An engine without signals ends the container by its own means: after a grace period for SIGTERM and other signals, at once
        for SIGKILL.
        """
        ...

    async def notify_worker_ended(self, ref: JobRef, succeeded: bool) -> None:
        """Notifies the sidecar that the worker has ended, and whether the worker succeeded; the sidecar then transfers the outputs.

        A notified sidecar ignores a second call. A sidecar that is removed or does not run is no error. The adapter chooses the
        means: a signal, a file, a command.
        """
        ...


class Removal(Protocol):
    """Removing a job's containers. An absent container is no error. Objects without this jobd's labels are never touched."""

    async def remove(self, ref: JobRef, role: Role | None = None) -> None:
        """Removes this job's containers by force with their anonymous volumes, and without a `role` the workspace volume too.

        Only for a job or an attempt whose end is stored.
        Raises: RefusedByEngine: another container uses the volume.
        """
        ...

    async def remove_stopped(self, ref: JobRef) -> None:
        """Removes this job's containers and the workspace volume, and kills nothing.

        Raises: EngineUnavailable, also if a container runs. RefusedByEngine: another container uses the volume.
        """
        ...

    async def remove_unstarted(self, ref: JobRef, role: Role, container_id: str) -> StartFate:
        """Removes a container whose start was requested and may still be under way, unless the container has run.

        A start that arrives later finds no container. Never kills a running container. An engine without a record of removed
        containers returns `unknown`.
        """
        ...


class Logs(Protocol):
    """Reading containers' logs."""

    def logs(
        self, ref: JobRef, role: Role, cursor: LogCursor, follow: bool
    ) -> AsyncGenerator[LogBatch, None]:
        """Yields the lines after the cursor, in the batches in which they arrive (bounded in count and bytes).

        Without `follow`, ends when the stored log has been read to its end, an unterminated last line included.
        With `follow`, continues until the container ends, and holds an unterminated line back.
        An engine that cannot distinguish stdout from stderr gives all lines as stdout; an engine that rotates its log marks a gap.

        Raises:
            ContainerGone: no more lines can be read. EngineUnavailable: the connection broke. LogUnreadable: the engine did not return
            the log; repeat the call from the last cursor.
        """
        ...


class WorkerOutput(Protocol):
    """Reading a worker's output before a line has ended."""

    def output(self, ref: JobRef) -> AbstractAsyncContextManager[AsyncIterator[tuple[StreamName, bytes]]]:
        """Yields the worker's output from now on, in the pieces that arrive, until the worker ends; the whole output if entered
        before the worker's start. While the caller reads no pieces, the worker's writes block.

        An engine without such a connection raises ContainerGone: readers then get each line when it ends.
        Raises: ContainerGone. EngineUnavailable: the connection broke, or the engine's bytes cannot be decoded.
        """
        ...


class HintStream(Protocol):
    """Events of the engine, which replace fast polling."""

    def hints(self) -> AsyncGenerator[Hint, None]:
        """Yields hints for ever: `Connected` after each connect, `Disconnected` after each end of a connection and each failed
        connect; reconnects with a growing pause. Events from a disconnection come before `Connected`, as far as the engine
        still has them. Hints may be lost or repeated: `observe` decides. Never raises EngineUnavailable.
        """
        ...


class Files(Protocol):
    """Reading files of a job's workspace."""

    def open_tar(self, ref: JobRef, path: str) -> AsyncGenerator[bytes, None]:
        """Streams the file or folder at the absolute container path as tar, while the worker container exists; an engine may keep
        no files after the worker's end.

        A stream without an error is a whole tar. Raises: NoSuchFile before the first byte. FilesChanged.
        """
        ...


class Measurement(Protocol):
    """Measuring a worker."""

    async def usage(self, ref: JobRef) -> Usage | None:
        """Measures the running worker; None if the worker does not run, or the engine cannot measure."""
        ...


class Probe(Protocol):
    """Asking the engine for its size and versions."""

    async def ping(self) -> EngineFacts:
        """Returns the engine's facts. Raises EngineUnavailable, also while the engine is being stopped."""
        ...


class Inventory(Protocol):
    """Listing this jobd's objects on the engine."""

    async def refs(self) -> list[JobRef]:
        """Lists the jobs with a container or a volume."""
        ...

    async def disk_use(self) -> DiskUse:
        """Measures the containers and volumes; may take seconds. An engine that cannot measure sizes counts the objects and returns 0 bytes."""
        ...


class JobEngine(Images, Containers, Removal, Logs, WorkerOutput, Files, Measurement, Protocol):
    """The calls of a supervisor."""


class Monitored(Probe, HintStream, Protocol):
    """The calls of the engine monitor."""


class Upkeep(Inventory, Removal, Protocol):
    """The calls of retention."""


class EnginePort(JobEngine, Monitored, Upkeep, Protocol):
    """All Protocols in one object, which the composition root passes on."""
