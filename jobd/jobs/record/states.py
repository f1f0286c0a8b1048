"""The states of an attempt, in their order; each state has only the fields that exist in that state. Pure data.

    Queued -> Pulling -> [LoadingInputs] -> Running -> DrainingLog -> [DeliveringOutputs] -> [CollectingOutputs] -> Done

`phase` is the API's name for a state. `since`: when the state's phase began.
"""

from datetime import datetime
from typing import ClassVar

import msgspec

from jobd.jobs.record.parts import (
    Ended,
    Failure,
    OutputState,
    Part,
    PendingRetry,
    Removal,
    Setup,
    SidecarRun,
    Started,
    Starting,
    Stop,
)
from jobd.wire.views.job import Phase


class Queued(Part, frozen=True, kw_only=True, tag="queued"):
    """Waits for a place; an attempt after the first waits for its time before that."""

    phase: ClassVar[Phase] = "queued"
    since: datetime
    retry: PendingRetry | None = None


class Pulling(Part, frozen=True, kw_only=True, tag="pulling"):
    """The image is pulled, then the containers are created."""

    phase: ClassVar[Phase] = "pulling"
    since: datetime
    setup: Setup


class LoadingInputs(Part, frozen=True, kw_only=True, tag="loading-inputs"):
    """The sidecar is started and moves the files in. `failure`: the inputs have failed, and jobd ends the sidecar."""

    phase: ClassVar[Phase] = "inputs"
    since: datetime
    setup: Setup
    sidecar: SidecarRun | None = None
    failure: Failure | None = None
    stop: Stop | None = None


class Running(Part, frozen=True, kw_only=True, tag="running"):
    """The worker is started and runs. `sidecar`: the sidecar that loaded the inputs. `worker`: None before its start is requested."""

    phase: ClassVar[Phase] = "running"
    since: datetime
    setup: Setup
    sidecar: SidecarRun | None = None
    worker: Starting | Started | None = None


class DrainingLog(Part, frozen=True, kw_only=True, tag="draining-log"):
    """The worker has ended; its log is read to its end, then the exit event is stored."""

    phase: ClassVar[Phase] = "running"
    since: datetime
    setup: Setup
    sidecar: SidecarRun | None = None
    worker: Ended
    failure: Failure | None = None


class DeliveringOutputs(Part, frozen=True, kw_only=True, tag="delivering-outputs"):
    """jobd notifies the sidecar that the worker has ended; the sidecar moves the files out. `overdue`: the time for that has passed, and jobd
    ends the sidecar.
    """

    phase: ClassVar[Phase] = "outputs"
    since: datetime
    setup: Setup
    sidecar: SidecarRun
    worker: Ended | None = None
    failure: Failure | None = None
    told_at: datetime | None = None
    overdue: bool = False
    stop: Stop | None = None


class CollectingOutputs(Part, frozen=True, kw_only=True, tag="collecting-outputs"):
    """The worker has succeeded; jobd checks the outputs that the client fetches."""

    phase: ClassVar[Phase] = "outputs"
    since: datetime
    setup: Setup
    sidecar: SidecarRun | None = None
    worker: Ended


class Done(Part, frozen=True, kw_only=True, tag="done"):
    """The job has ended: completed, or with a `failure` failed, or cancelled. `outputs`: the status of those that the client fetches, by
    path. `removal`: the containers and the volume are removed.
    """

    phase: ClassVar[Phase] = "done"
    finished_at: datetime
    cancelled: bool = False
    failure: Failure | None = None
    setup: Setup | None = None
    worker: Ended | None = None
    outputs: dict[str, OutputState] = msgspec.field(default_factory=dict)
    removal: Removal | None = None

    @property
    def since(self) -> datetime:
        """When the job ended."""
        return self.finished_at


State = (
    Queued | Pulling | LoadingInputs | Running | DrainingLog | DeliveringOutputs | CollectingOutputs | Done
)
WORKER_OVER = (DrainingLog, DeliveringOutputs, CollectingOutputs, Done)
"""The states in which the worker has ended, or never will run."""
