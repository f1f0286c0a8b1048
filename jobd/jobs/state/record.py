"""A job's record: everything that must survive a crash, as one immutable value.

Owns what a job keeps over its attempts and what its present attempt has. The spec is stored beside the record, not in it: it is large and
never changes. How a record changes is in `machine.py`, its stored form in `record_form.py`.
"""

from datetime import datetime

import msgspec

from jobd.jobs.state.parts import (
    DEFAULT_GRACE_S,
    STOP_SIGNAL,
    ArtifactState,
    CancelRequest,
    ClockMark,
    Ended,
    EngineErrors,
    EventCounts,
    FailedAttempt,
    Failure,
    LogReading,
    LogState,
    OutputState,
    Part,
    Removal,
    Setup,
    SidecarRun,
    Started,
    Starting,
    Stop,
    WorkerUsage,
)
from jobd.jobs.state.states import (
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
from jobd.wire.view import Phase, Status


class Attempt(Part, frozen=True, kw_only=True):
    """One attempt of a job: its state, and what is known in every state. The next attempt begins without any of this."""

    number: int = 1
    state: State
    artifacts: dict[str, ArtifactState] = msgspec.field(default_factory=dict)
    engine_errors: EngineErrors | None = None
    reading: LogReading = LogReading()


class Record(Part, frozen=True, kw_only=True, tag_field="form", tag=2):
    """What is known of one job, and what its users want of it. All but `attempt` is kept when an attempt is repeated.

    `version` counts the stored changes. `image`: as the spec names it, for callers that have no use for the whole spec; empty in records of
    older versions. `image_digest`: of the image that was pulled last. `has_spool`: local files were sent with the job, and jobd still has them.
    `token`: what the job's sidecar proves itself with. `form`, 2, is the version of the stored form (`record_form.py`).
    """

    uid: str
    id: str
    created_at: datetime
    version: int = 0
    image: str = ""
    image_digest: str | None = None
    owner: str | None = None
    spec_digest: str = ""
    has_spool: bool = False
    token: str = ""
    clock: ClockMark = ClockMark()
    events: EventCounts = EventCounts()
    log: LogState = LogState()
    cancel: CancelRequest | None = None
    earlier: list[FailedAttempt] = msgspec.field(default_factory=list)
    attempt: Attempt

    # --- the present attempt, read

    @property
    def state(self) -> State:
        """The state of the present attempt."""
        return self.attempt.state

    @property
    def phase(self) -> Phase:
        """The phase that the API shows."""
        return self.state.phase

    @property
    def status(self) -> Status:
        """The status that the API shows."""
        state = self.state
        if not isinstance(state, Done):
            return "accepted" if self.started_at is None else "running"
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
        """The worker's container, None where it is (still, or again) to be made."""
        return self.setup.worker.id if self.setup and self.setup.worker else None

    @property
    def sidecar_id(self) -> str | None:
        """The sidecar's container, None where there is none."""
        return self.setup.sidecar_id if self.setup else None

    @property
    def sidecar(self) -> SidecarRun | None:
        """The sidecar whose start was asked for, while the job has not ended."""
        return None if isinstance(self.state, Queued | Pulling | Done) else self.state.sidecar

    @property
    def worker(self) -> Starting | Started | Ended | None:
        """The worker whose start was asked for."""
        return None if isinstance(self.state, Queued | Pulling | LoadingInputs) else self.state.worker

    @property
    def worker_over(self) -> bool:
        """True once the worker does not run any more, or never will."""
        return isinstance(self.state, WORKER_OVER)

    @property
    def started_at(self) -> datetime | None:
        """When the worker began to run."""
        return None if self.worker is None or isinstance(self.worker, Starting) else self.worker.started_at

    @property
    def exited_at(self) -> datetime | None:
        """When the worker ended."""
        return self.worker.exited_at if isinstance(self.worker, Ended) else None

    @property
    def exit_code(self) -> int | None:
        """The worker's exit code, None where the worker has none or the code is not known."""
        return self.worker.exit_code if isinstance(self.worker, Ended) else None

    @property
    def timed_out(self) -> bool:
        """True where the worker is or was ended because its time was over."""
        return isinstance(self.worker, Started | Ended) and self.worker.timed_out

    @property
    def usage(self) -> WorkerUsage | None:
        """What the worker used, as far as it was measured."""
        return self.worker.usage if isinstance(self.worker, Started | Ended) else None

    @property
    def failure(self) -> Failure | None:
        """Why the attempt does not succeed, as far as that is known."""
        if isinstance(self.state, Queued | Pulling | Running | CollectingOutputs):
            return None
        return self.state.failure

    @property
    def reason(self) -> str | None:
        """The code of `failure`."""
        return self.failure.reason if self.failure else None

    @property
    def error(self) -> str | None:
        """The text of `failure`."""
        return self.failure.error if self.failure else None

    @property
    def stop(self) -> Stop | None:
        """What was sent to end the container that the state waits for."""
        state = self.state
        if isinstance(state, Running):
            return state.worker.stop if state.worker else None
        return state.stop if isinstance(state, LoadingInputs | DeliveringOutputs) else None

    @property
    def outputs(self) -> dict[str, OutputState]:
        """How the outputs that the client fetches were found, by path."""
        return self.state.outputs if isinstance(self.state, Done) else {}

    @property
    def finished_at(self) -> datetime | None:
        """When the job ended."""
        return self.state.finished_at if isinstance(self.state, Done) else None

    @property
    def removal(self) -> Removal | None:
        """That nothing of the job is left in the engine, and since when."""
        return self.state.removal if isinstance(self.state, Done) else None

    # --- what is asked of it

    @property
    def is_deleted(self) -> bool:
        """True where a user wants the job to be gone."""
        return self.cancel is not None and self.cancel.delete

    @property
    def grace_s(self) -> float:
        """How long the worker has between the first signal and SIGKILL."""
        return self.cancel.grace_s if self.cancel else DEFAULT_GRACE_S

    @property
    def stop_signal(self) -> str:
        """The first signal that ends the worker."""
        return self.cancel.signal if self.cancel else STOP_SIGNAL

    @property
    def end_ordered(self) -> bool:
        """True where jobd itself ends the worker: a user wants that, or its time is over."""
        return self.cancel is not None or self.timed_out

    @property
    def is_stopping(self) -> bool:
        """True where what runs is to be ended: a user wants that, or the phase has failed or is overdue."""
        state = self.state
        if isinstance(state, LoadingInputs) and state.failure is not None:
            return True
        return self.cancel is not None or (isinstance(state, DeliveringOutputs) and state.overdue)

    # --- changed

    def with_state(self, state: State, **fields: object) -> "Record":
        """Returns the record with its attempt in this state, and with these fields of the attempt."""
        return self.change(attempt=self.attempt.change(state=state, **fields))

    def with_setup(self, **fields: object) -> "Record":
        """Returns the record with these fields of the attempt's setup; before its admission it has none."""
        state = self.state
        if isinstance(state, Queued) or state.setup is None:
            return self
        return self.with_state(state.change(setup=state.setup.change(**fields)))

    def with_sidecar(self, **fields: object) -> "Record":
        """Returns the record with these fields of the sidecar's run; without a sidecar nothing changes."""
        state = self.state
        if isinstance(state, Queued | Pulling | Done) or state.sidecar is None:
            return self
        return self.with_state(state.change(sidecar=state.sidecar.change(**fields)))
