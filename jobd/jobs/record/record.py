"""A job's record: everything that must survive a crash, as one immutable value.

Owns what a job keeps over its attempts, and what its present attempt has (`attempt.py`). The spec, which is large and never changes, is stored beside
the record. `machine.py` changes records, `record_form.py` encodes them.
"""

from datetime import datetime
from typing import Literal

import msgspec

from jobd.jobs.port.model import JobRef
from jobd.jobs.record.attempt import Attempt
from jobd.jobs.record.parts import (
    Caller,
    CancelRequest,
    ClockMark,
    Ended,
    EventCounts,
    FailedAttempt,
    Failure,
    LogState,
    OutputState,
    Part,
    Removal,
    RetriedFrom,
    Setup,
    SidecarRun,
    Started,
    Starting,
    Stop,
    StopPolicy,
    Trace,
    WorkerUsage,
)
from jobd.jobs.record.scheduling import Scheduling, ticket_at
from jobd.jobs.record.states import (
    WORKER_OVER,
    CollectingOutputs,
    DeliveringOutputs,
    Done,
    LoadingInputs,
    Pulling,
    Queued,
    Running,
    State,
)
from jobd.jobs.state.handover import Source, Takeover, Taker
from jobd.wire.views.job import Phase, Status

# Tuples: an expression `A | B` makes a new type at each call, which is slow.
_WITHOUT_SIDECAR = (Queued, Pulling, Done)
_WITHOUT_WORKER = (Queued, Pulling, LoadingInputs)
_WITHOUT_FAILURE = (Queued, Pulling, Running, CollectingOutputs)
_MEASURED = (Started, Ended)

Input = Literal["unopened", "open", "ended", "cut"]


class Record(Part, frozen=True, kw_only=True, tag_field="form", tag=2):
    """One job's facts and its users' requests. A repeated attempt replaces only `attempt`.

    `version` counts the stored changes. `image`: the spec's image, for callers that do not need the whole spec; empty in records of older
    versions. `image_digest`: the digest of the last pulled image. `caller`: who has sent the job, if the job mounts folders of the machine. `has_spool`: local files were sent with the job; jobd has them until
    the job's end. `sources`: the earlier jobs whose workspaces stay for this job. `retried_from`: the job that this one runs anew;
    `takes`: whose outputs alone it repeats. `taken_by`: the job that has taken over the workspace.
    `token`: authenticates the job's sidecar. `paused`: a user has paused this job alone. `input`: of a worker without a terminal; `cut`: the
    worker has read an end that no client sent. `spent`: microseconds in each phase that the job has left, of all attempts. `form`, 2, is
    the version of the stored form (`record_form.py`).
    """

    uid: str
    id: str
    created_at: datetime
    version: int = 0
    image: str = ""
    image_digest: str | None = None
    owner: str | None = None
    caller: Caller | None = None
    trace: Trace | None = None
    stop_policy: StopPolicy = StopPolicy()
    spec_digest: str = ""
    has_spool: bool = False
    token: str = ""
    scheduling: Scheduling = Scheduling()
    sources: list[Source] = msgspec.field(default_factory=list)
    takes: Takeover | None = None
    taken_by: Taker | None = None
    clock: ClockMark = ClockMark()
    events: EventCounts = EventCounts()
    log: LogState = LogState()
    paused: bool = False
    input: Input = "unopened"
    retried_from: RetriedFrom | None = None
    cancel: CancelRequest | None = None
    earlier: list[FailedAttempt] = msgspec.field(default_factory=list)
    spent: dict[str, int] = msgspec.field(default_factory=dict)
    attempt: Attempt

    @property
    def ticket(self) -> int:
        """The job's place among the waiting jobs of its priority."""
        return self.scheduling.ticket or ticket_at(self.created_at)

    @property
    def state(self) -> State:
        """The state of the present attempt."""
        return self.attempt.state

    @property
    def phase(self) -> Phase:
        """The phase for the API."""
        return self.state.phase

    @property
    def status(self) -> Status:
        """The status for the API."""
        state = self.state
        if not isinstance(state, Done):
            has_begun = self.started_at is not None or (self.takes is not None and state.phase == "outputs")
            return "running" if has_begun else "accepted"
        if state.cancelled:
            return "cancelled"
        return "failed" if state.failure else "completed"

    @property
    def ended(self) -> bool:
        """True once the status is final."""
        return isinstance(self.state, Done)

    @property
    def setup(self) -> Setup | None:
        """What the attempt has since its admission."""
        return None if isinstance(self.state, Queued) else self.state.setup

    @property
    def admitted_at(self) -> datetime | None:
        """When the attempt was admitted."""
        return self.setup.admitted_at if self.setup else None

    @property
    def worker_id(self) -> str | None:
        """The worker's container, None if jobd must (still, or again) create it."""
        return self.setup.worker.id if self.setup and self.setup.worker else None

    @property
    def sidecar_id(self) -> str | None:
        """The sidecar's container, if any."""
        return self.setup.sidecar_id if self.setup else None

    @property
    def sidecar(self) -> SidecarRun | None:
        """The sidecar whose start was requested, while the job has not ended."""
        state = self.state
        return None if isinstance(state, _WITHOUT_SIDECAR) else state.sidecar

    @property
    def worker(self) -> Starting | Started | Ended | None:
        """The worker whose start was requested."""
        state = self.attempt.state
        return None if isinstance(state, _WITHOUT_WORKER) else state.worker

    @property
    def worker_over(self) -> bool:
        """True once the worker has ended, or never will run."""
        return isinstance(self.state, WORKER_OVER)

    @property
    def started_at(self) -> datetime | None:
        """When the worker began to run."""
        worker = self.worker
        return None if worker is None or isinstance(worker, Starting) else worker.started_at

    @property
    def exited_at(self) -> datetime | None:
        """When the worker ended."""
        worker = self.worker
        return worker.exited_at if isinstance(worker, Ended) else None

    @property
    def exit_code(self) -> int | None:
        """The worker's exit code, None if there is none or the code is unknown. For repeated outputs: the earlier worker's."""
        worker = self.takes.worker if self.takes is not None else self.worker
        return worker.exit_code if isinstance(worker, Ended) else None

    @property
    def timed_out(self) -> bool:
        """True if jobd ends or has ended the worker at its time limit."""
        worker = self.worker
        return isinstance(worker, _MEASURED) and worker.timed_out

    @property
    def usage(self) -> WorkerUsage | None:
        """The worker's measured use."""
        worker = self.worker
        return worker.usage if isinstance(worker, _MEASURED) else None

    @property
    def frozen_s(self) -> float:
        """For how many seconds the worker was frozen, without a freeze that lasts."""
        worker = self.worker
        return worker.frozen_s if isinstance(worker, _MEASURED) else 0.0

    @property
    def failure(self) -> Failure | None:
        """Why the attempt does not succeed, if known."""
        state = self.state
        return None if isinstance(state, _WITHOUT_FAILURE) else state.failure

    @property
    def reason(self) -> str | None:
        """The code of `failure`."""
        failure = self.failure
        return failure.reason if failure else None

    @property
    def error(self) -> str | None:
        """The text of `failure`."""
        failure = self.failure
        return failure.error if failure else None

    @property
    def stop(self) -> Stop | None:
        """The signals sent to the container that the state waits for."""
        state = self.state
        if isinstance(state, Running):
            return state.worker.stop if state.worker else None
        return state.stop if isinstance(state, LoadingInputs | DeliveringOutputs) else None

    @property
    def outputs(self) -> dict[str, OutputState]:
        """The status of the outputs that the client fetches, by path."""
        state = self.state
        return state.outputs if isinstance(state, Done) else {}

    @property
    def finished_at(self) -> datetime | None:
        """When the job ended."""
        state = self.state
        return state.finished_at if isinstance(state, Done) else None

    @property
    def removal(self) -> Removal | None:
        """The removal of the job's containers and volume, if done."""
        state = self.state
        return state.removal if isinstance(state, Done) else None

    @property
    def workspace_ref(self) -> JobRef:
        """The attempt whose containers hold the job's files."""
        return self.takes.workspace.ref if self.takes else JobRef(self.uid, self.id, self.attempt.number)

    # --- users' requests and what follows from them

    @property
    def is_deleted(self) -> bool:
        """True if a user has deleted the job."""
        return self.cancel is not None and self.cancel.delete

    @property
    def grace_s(self) -> float:
        """How long the worker has between the first signal and SIGKILL."""
        return self.cancel.grace_s if self.cancel else self.stop_policy.grace_s

    @property
    def stop_signal(self) -> str:
        """The first signal that ends the worker."""
        return self.cancel.signal if self.cancel else self.stop_policy.signal

    @property
    def end_ordered(self) -> bool:
        """True if jobd itself ends the worker: a user wants that, or the worker's time is over."""
        return self.cancel is not None or self.timed_out

    @property
    def is_stopping(self) -> bool:
        """True if jobd ends the running containers: a user wants that, or the phase has failed or is overdue."""
        state = self.state
        if isinstance(state, LoadingInputs) and state.failure is not None:
            return True
        return self.cancel is not None or (isinstance(state, DeliveringOutputs) and state.overdue)

    def with_state(self, state: State, **fields: object) -> "Record":
        """Returns the record with its attempt in this state, and with these fields of the attempt."""
        return self.change(attempt=self.attempt.change(state=state, **fields))

    def with_setup(self, **fields: object) -> "Record":
        """Returns the record with these fields of the attempt's setup, which exists from admission on."""
        state = self.state
        if isinstance(state, Queued) or state.setup is None:
            return self
        return self.with_state(state.change(setup=state.setup.change(**fields)))

    def with_sidecar(self, **fields: object) -> "Record":
        """Returns the record with these fields of the sidecar's run; unchanged without a sidecar."""
        state = self.state
        if isinstance(state, Queued | Pulling | Done) or state.sidecar is None:
            return self
        return self.with_state(state.change(sidecar=state.sidecar.change(**fields)))
