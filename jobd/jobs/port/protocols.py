"""What `jobs` asks of a container engine: small Protocols, of which each user takes those that it calls.

`jobd/docker` implements all of them on the Docker Engine, `tests/support/fakes` in memory; both pass the suite in `tests/contract`.
Every call may be repeated unless its text says otherwise. Every call raises EngineUnavailable where its result is not known, also
where the text names further errors only.
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
    """Having images at hand before containers are created."""

    async def ensure_image(
        self, image: str, pull: Pull, platform: str | None, on_progress: Callable[[str], None]
    ) -> ImageFacts:
        """Pulls as the policy says; `on_progress` gets short texts ("pulling 12.3 / 40.1 MB").

        An engine that pulls where it schedules only checks the name here, and reports the pull from `create` on.
        Raises: ImageUnavailable.
        """
        ...

    async def ensure_sidecar_image(self) -> None:
        """Finds, pulls or builds the sidecar image. An engine may leave that to `create`. Raises: ImageUnavailable with a remedy."""
        ...


class Containers(Protocol):
    """Creating, starting, observing and signalling a job's containers."""

    async def create(self, order: WorkOrder, files: Path | None) -> Created:
        """Creates volume, worker and (where wanted) sidecar, not started; puts the tar `files` into the workspace.

        Takes over what of this attempt has run. Removes first: containers of an earlier attempt under the same names, and containers
        of this attempt that were created and not filled. An engine may start the sidecar here, before it has its order.
        Raises: RefusedByEngine, ImageUnavailable.
        """
        ...

    async def start_sidecar(self, ref: JobRef, order: SidecarOrder) -> None:
        """Starts the sidecar and hands it its order, once: a sidecar that runs or has run gets no second order.

        Raises: StartFailed.
        """
        ...

    async def start_worker(self, ref: JobRef) -> None:
        """Starts the worker, at most once an attempt; the engine never repeats a start by itself. EngineUnavailable: the answer was
        lost, and the worker may have started.

        Raises: StartFailed.
        """
        ...

    async def observe(self, ref: JobRef) -> Observation:
        """Reads the state of both containers of this job. A container of another attempt shows its own `attempt`."""
        ...

    async def end_cause(self, ref: JobRef, role: Role, ended: ContainerFacts) -> EndCause:
        """Returns what ended this container, which `observe` has shown as ended and whose end was not ordered through this port.

        May take seconds: an engine that learns the cause after the end is asked for it. Where the facts of the end are enough, returns
        their `cause`. Raises EngineUnavailable, also where the cause is not known yet; after a bounded time it is decided.
        """
        ...

    async def signal(self, ref: JobRef, role: Role, signal: str) -> None:
        """Sends a signal by name ("SIGTERM"). A container that is gone or does not run is no error.

        An engine without signals ends the container by its own means: with its grace period for SIGTERM and the like, at once for
        SIGKILL.
        """
        ...

    async def notify_worker_ended(self, ref: JobRef, succeeded: bool) -> None:
        """Tells the sidecar that the worker has ended, and whether it succeeded; the sidecar then does its outputs.

        A sidecar that was notified ignores a second call. A sidecar that is gone or does not run is no error. How the sidecar
        learns it is the engine's own affair: a signal, a file, a command.
        """
        ...


class Removal(Protocol):
    """Removing a job's containers. Absent is no error; what lacks this jobd's labels is never touched."""

    async def remove(self, ref: JobRef, role: Role | None = None) -> None:
        """Removes by force this job's containers with their anonymous volumes, and without a `role` the workspace volume too.

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
        """Removes a container whose start was asked for and may still be under way, unless the container has run.

        A start that arrives later finds no container. Kills nothing that runs. An engine that keeps no record of removed containers
        returns `unknown`.
        """
        ...


class Logs(Protocol):
    """Reading what containers have printed."""

    def logs(
        self, ref: JobRef, role: Role, cursor: LogCursor, follow: bool
    ) -> AsyncGenerator[LogBatch, None]:
        """Yields the lines after the cursor, in the batches in which they arrive (bounded in count and bytes).

        Without `follow`, ends when the stored log has been read to its end, an unterminated last line included.
        With `follow`, goes on until the container ends, and keeps an unterminated line back.
        An engine that cannot tell stdout from stderr gives all lines as stdout; an engine that rotates its log away marks a gap.

        Raises:
            ContainerGone: nothing more can be read. EngineUnavailable: the connection broke. LogUnreadable: the engine could not
            give the log; ask again from the last cursor.
        """
        ...


class WorkerOutput(Protocol):
    """Watching what a worker prints, before a line has ended."""

    def output(self, ref: JobRef) -> AbstractAsyncContextManager[AsyncIterator[tuple[StreamName, bytes]]]:
        """Gives what the worker prints from now on, in pieces as they come, until it ends: all of it, where it is entered before
        the worker's start. While nobody takes the pieces, the worker waits.

        An engine without such a connection raises ContainerGone: lines then show when they end.
        Raises: ContainerGone. EngineUnavailable: the connection broke, or the engine sends what cannot be read.
        """
        ...


class HintStream(Protocol):
    """Events of the engine, which spare fast polling."""

    def hints(self) -> AsyncGenerator[Hint, None]:
        """Yields hints for ever: `Connected` after each connect, `Disconnected` after each end of a connection and each connect that
        failed; reconnects by itself with a growing pause. What happened while the stream was away comes before `Connected`, as
        far as the engine still has it. Hints may be lost or repeated: `observe` decides. Never raises EngineUnavailable.
        """
        ...


class Files(Protocol):
    """Reading files of a job's workspace."""

    def open_tar(self, ref: JobRef, path: str) -> AsyncGenerator[bytes, None]:
        """Streams the file or folder at the absolute container path as tar, while the worker container exists; an engine may keep
        no files after the worker's end.

        What ends without an error is a whole tar. Raises: NoSuchFile before the first byte. FilesChanged.
        """
        ...


class Measurement(Protocol):
    """Measuring a worker."""

    async def usage(self, ref: JobRef) -> Usage | None:
        """Measures the running worker; None where it does not run, or the engine cannot tell."""
        ...


class Probe(Protocol):
    """Asking the engine for its size and versions."""

    async def ping(self) -> EngineFacts:
        """Returns the engine's facts. Raises EngineUnavailable, also while the engine is being stopped."""
        ...


class Inventory(Protocol):
    """Finding what this instance of jobd has on the engine."""

    async def refs(self) -> list[JobRef]:
        """Lists the jobs of which any container or volume exists."""
        ...

    async def disk_use(self) -> DiskUse:
        """Measures the containers and volumes; may take seconds. An engine that cannot measure counts and gives 0 bytes."""
        ...


class JobEngine(Images, Containers, Removal, Logs, WorkerOutput, Files, Measurement, Protocol):
    """What a supervisor uses."""


class Monitored(Probe, HintStream, Protocol):
    """What the engine's monitor uses."""


class Upkeep(Inventory, Removal, Protocol):
    """What retention uses."""


class EnginePort(JobEngine, Monitored, Upkeep, Protocol):
    """All of the above in one object, as the composition root passes it on."""
