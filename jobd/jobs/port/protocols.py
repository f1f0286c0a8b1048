"""What `jobs` requires of a container engine: small Protocols; each caller depends on those that the caller uses.

`jobd/docker` implements all of them on the Docker Engine, `tests/support/fakes` in memory; both pass the suite in `tests/contract`.
Every call may be repeated unless its text says otherwise. Every call raises EngineUnavailable if its result is unknown, even if
its text names only further errors.
"""

from collections.abc import AsyncGenerator, Callable
from typing import Protocol

from jobd.jobs.port.hints import Hint
from jobd.jobs.port.interactive import InteractiveEngine, WorkerOutput
from jobd.jobs.port.model import (
    ContainerFacts,
    ContainerState,
    Created,
    DiskUse,
    EndCause,
    EngineFacts,
    ImageFacts,
    JobRef,
    LogBatch,
    LogCursor,
    Observation,
    Progress,
    Role,
    StartFate,
    Unsupported,
    Usage,
    WorkOrder,
)
from jobd.wire.job import JobSpec
from jobd.wire.report import SidecarOrder


class PreparationProgress(Protocol):
    """Receives the progress of one `prepare`. An exception of these calls ends `prepare`, which raises the exception again."""

    def report(self, progress: Progress) -> None:
        """Takes how far the preparation is: of a pull, its bytes and layers as far as the engine tells them."""
        ...

    async def image_ready(self, image: ImageFacts) -> None:
        """The image is local: a repeated `prepare` of this attempt does not pull. Returns once that is stored."""
        ...


class Preparing(Protocol):
    """All that comes before a worker's start."""

    async def prepare(self, order: WorkOrder, progress: PreparationProgress) -> Created:
        """Pulls the images by the spec's policy; creates the workspace, the worker and, if needed, the sidecar; unpacks `files`.

        The workspace and the files in it belong to the worker's user. Does not start the worker. An engine may start the sidecar
        here, before its order is sent, and may pull after it has created the containers.

        Reuses containers of this attempt that have run. First removes containers of an earlier attempt under the same names, and
        containers of this attempt that were created and not filled. The sidecar reads the workspaces of `sources` at
        `JOBS_FOLDER/ID`, and cannot change them; such a workspace cannot be removed while the sidecar exists.

        A cancel interrupts a pull and the transfer of files. The cancelled call ends after the requests that it has sent: then no
        further container appears.
        With `workspace_of`, creates only the sidecar, if needed, on that workspace, and returns the id of the worker that has run there.

        Raises: ImageUnavailable, with a remedy. WorkspaceGone: a source, or `workspace_of`, has no workspace. RefusedByEngine.
        """
        ...

    async def start_inputs(self, ref: JobRef, order: SidecarOrder) -> None:
        """Starts the sidecar, unless the engine has, and sends its order, once: a sidecar that has got or missed its order gets no other.

        The adapter sets the order's `worker_uid` and `worker_gid`, or has the engine settle who owns the inputs.
        Raises: StartFailed.
        """
        ...

    async def remove_stopped(self, ref: JobRef) -> None:
        """Removes this job's containers and the workspace volume, and kills nothing.

        Raises: EngineUnavailable, also if a container runs. RefusedByEngine: another container uses the volume.
        """
        ...


class Workers(Protocol):
    """A worker's start, at most once an attempt, and what its end means for the sidecar."""

    async def start_worker(self, ref: JobRef) -> ContainerState:
        """Starts the worker, at most once per attempt; the engine never repeats a start by itself. EngineUnavailable: the answer is
        lost, and the worker may have started.

        Returns RUNNING if the worker runs, or has run. STARTING: the engine has taken the request and carries it out later, as `observe`
        shows; a start that then fails has its reason there.

        Raises: StartFailed.
        """
        ...

    async def remove_unstarted(self, ref: JobRef, role: Role, container_id: str) -> StartFate:
        """Removes a container whose start was requested and may still be under way, unless the container has run.

        A start that arrives later finds no container; an engine on which a repeated request starts nothing twice may keep it instead.
        Never kills a running container. An engine without a record of removed containers returns `unknown`.
        """
        ...

    async def notify_worker_ended(self, ref: JobRef, succeeded: bool) -> None:
        """Notifies the sidecar that the worker has ended, and whether the worker succeeded; the sidecar then transfers the outputs.

        A notified sidecar ignores a second call. A sidecar that is removed or does not run is no error. The adapter chooses the
        means: a signal, a file, a command.
        """
        ...


class Observing(Protocol):
    """The state of a job's containers."""

    async def observe(self, ref: JobRef) -> Observation:
        """Reads the state of this job's containers. A container of another attempt has that attempt's number."""
        ...

    async def end_cause(self, ref: JobRef, role: Role, ended: ContainerFacts) -> EndCause:
        """Returns what ended this container, which `observe` has returned as ended and whose end was not ordered through this port.

        May take seconds: some engines report the cause after the end. If the facts of the end suffice, returns their `cause`.
        Raises EngineUnavailable, also while the cause is unknown; an adapter decides on the cause after a bounded time.
        """
        ...

    async def usage(self, ref: JobRef) -> Usage | None:
        """Measures the running worker; None if the worker does not run, or the engine cannot measure."""
        ...


class Signals(Protocol):
    """Ending a container."""

    async def signal(self, ref: JobRef, role: Role, signal: str) -> None:
        """Sends a signal by name ("SIGTERM"). A container that is removed or does not run is no error.

        An engine without signals ends the container by its own means: after a grace period for SIGTERM and other signals, at once
        for SIGKILL.
        """
        ...


class Freezing(Protocol):
    """Freezing a worker: all its processes stand still, and keep their memory and their connections."""

    async def freeze_worker(self, ref: JobRef) -> None:
        """Freezes the worker, until `thaw_worker` or the worker's end. A worker that is removed or does not run is no error.

        Raises: RefusedByEngine: the engine cannot freeze this worker; the worker runs on.
        """
        ...

    async def thaw_worker(self, ref: JobRef) -> None:
        """Lets a frozen worker run again. A worker that is removed, has ended or is not frozen is no error. Raises: RefusedByEngine."""
        ...


class RunRelease(Protocol):
    """What an engine holds for a job's run alone."""

    def release_run(self, ref: JobRef, files_needed: Callable[[], float]) -> None:
        """The job is over: no container of this job is started any more. Frees what is held for runs alone, such as a network, and keeps files
        and logs; a container that keeps files may end once `files_needed`, in seconds, is 0. Makes no request before it returns, and never raises.
        """
        ...


class Removal(Protocol):
    """Removing a job's containers by force. An absent container is no error. Objects without this jobd's labels are never touched."""

    async def remove(self, ref: JobRef, role: Role | None = None) -> None:
        """Removes this job's containers by force with their anonymous volumes, and without a `role` the workspace volume too.

        Only for a job or an attempt whose end is stored.
        Raises: RefusedByEngine: another container uses the volume.
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
        """Streams the file or folder at the absolute container path as tar, while the worker container exists. An engine that keeps
        no files after the worker's end raises FilesNotKept from then on.

        A stream without an error is a whole tar. Raises: NoSuchFile, FilesNotKept before the first byte. FilesChanged.
        """
        ...


class SpecCheck(Protocol):
    """What this engine can do for a job. Makes no request."""

    def unsupported(self, spec: JobSpec) -> Unsupported | None:
        """Returns the first thing that the job asks for and the engine does not have."""
        ...


class Probe(Protocol):
    """Asking the engine for its size and versions."""

    async def probe(self) -> EngineFacts:
        """Asks on a new connection, and returns the engine's facts. EngineUnavailable: the engine accepts no new connections, also
        while the engine is being stopped and still answers on open ones.
        """
        ...


class Inventory(Protocol):
    """Listing this jobd's objects on the engine."""

    async def refs(self) -> list[JobRef]:
        """Lists the jobs with a container or a volume."""
        ...


class DiskMeasurement(Protocol):
    """Measuring this jobd's objects on the engine."""

    async def disk_use(self) -> DiskUse:
        """Measures the containers and volumes; may take seconds. An engine that cannot measure sizes counts the objects and returns 0 bytes."""
        ...


class PreparationEngine(Preparing, Signals, Protocol):
    """The calls of `run/preparation.py`."""


class ExecutionEngine(Workers, Observing, Signals, Freezing, Removal, Logs, WorkerOutput, Protocol):
    """The calls of `run/execution.py`."""


class JobEngine(PreparationEngine, ExecutionEngine, RunRelease, Files, Protocol):
    """The calls for one job, which a supervisor passes on to its parts."""


class Monitored(Probe, HintStream, SpecCheck, Protocol):
    """The calls of the engine monitor."""


class Upkeep(Inventory, Removal, Protocol):
    """The calls of retention."""


class EnginePort(JobEngine, InteractiveEngine, Monitored, Upkeep, DiskMeasurement, Protocol):
    """All Protocols in one object, which the composition root passes on."""
