"""Converts the records of jobd up to 0.1, one flat object (form 1), to form 2. Pure.

Needed while a database may hold a row that no change has stored since the upgrade: jobd stores an ended job's row when its containers
are removed, and then keeps the row for `HISTORY_RETENTION`. A version that refuses databases of 0.1 does not need this module.
"""

from datetime import datetime

from jobd.jobs.record.attempt import Attempt
from jobd.jobs.record.flat_record import FlatRecord
from jobd.jobs.record.parts import (
    CancelRequest,
    ClockMark,
    Ended,
    EngineErrors,
    EventCounts,
    Failure,
    Image,
    LogReading,
    LogState,
    PendingRetry,
    Removal,
    Setup,
    SidecarRun,
    Started,
    Starting,
    Stop,
    WorkerContainer,
    WorkerUsage,
)
from jobd.jobs.record.record import Record
from jobd.jobs.record.states import (
    CollectingOutputs,
    DeliveringOutputs,
    Done,
    DrainingLog,
    LoadingInputs,
    Pulling,
    Queued,
    Running,
    State,
)


def upgraded(flat: FlatRecord) -> Record:
    """Returns a record of form 1 in form 2."""
    return Record(
        uid=flat.uid,
        id=flat.id,
        created_at=flat.created_at,
        version=flat.version,
        image=flat.image,
        image_digest=flat.image_digest,
        owner=flat.owner,
        spec_digest=flat.spec_digest,
        has_spool=flat.has_spool,
        token=flat.token,
        clock=ClockMark(boot=flat.boot, offset=flat.clock_offset),
        events=EventCounts(count=flat.events, sequence=flat.sequence, started=flat.start_announced),
        log=LogState(
            seq=flat.log_seq,
            size_bytes=flat.log_bytes,
            is_full=flat.log_full,
            # Without the field all lines have events: the first versions stored a line and its event together.
            announced=flat.log_seq if flat.log_announced is None else flat.log_announced,
        ),
        cancel=_cancel(flat),
        earlier=flat.earlier,
        attempt=Attempt(
            number=flat.attempt,
            state=_state(flat),
            artifacts=flat.artifacts,
            engine_errors=EngineErrors(action=flat.engine_error_in, seconds=flat.engine_error_s)
            if flat.engine_error_in
            else None,
            reading=LogReading(cursor=flat.log_cursors, incomplete=flat.log_incomplete),
        ),
    )


def _cancel(flat: FlatRecord) -> CancelRequest | None:
    if flat.desired == "run":
        return None
    return CancelRequest(
        delete=flat.desired == "delete",
        by=flat.cancelled_by,
        why=flat.cancel_why,
        signal=flat.stop_signal,
        grace_s=flat.grace_s,
    )


def _state(flat: FlatRecord) -> State:
    since = flat.phase_since or flat.finished_at or flat.admitted_at or flat.created_at
    setup, sidecar, failure = _setup(flat, since), _sidecar(flat), _failure(flat)
    stop = Stop(sent_at=flat.stop_sent_at, killed=flat.kill_sent) if flat.stop_sent_at else None
    match flat.phase:
        case "queued":
            retry = PendingRetry(due_at=flat.retry_at, leftovers=flat.leftovers) if flat.retry_at else None
            return Queued(since=since, retry=retry)
        case "pulling":
            return Pulling(since=since, setup=setup)
        case "inputs":
            return LoadingInputs(
                since=since,
                setup=setup,
                sidecar=sidecar,
                failure=failure,
                stop=stop,
            )
        case "running" if flat.worker_over:
            return DrainingLog(
                since=since,
                setup=setup,
                sidecar=sidecar,
                worker=_ended(flat, since) or Ended(asked_at=since),
                failure=failure,
            )
        case "running":
            return Running(since=since, setup=setup, sidecar=sidecar, worker=_worker(flat, stop))
        case "outputs" if flat.collecting:
            return CollectingOutputs(
                since=since, setup=setup, sidecar=sidecar, worker=_ended(flat, since) or Ended(asked_at=since)
            )
        case "outputs":
            return DeliveringOutputs(
                since=since,
                setup=setup,
                sidecar=sidecar or SidecarRun(asked_at=since),
                worker=_ended(flat, since),
                failure=failure,
                told_at=flat.outputs_told_at,
                overdue="*" in flat.outputs_failed,
                stop=stop,
            )
        case "done":
            return Done(
                finished_at=flat.finished_at or since,
                cancelled=flat.status == "cancelled",
                failure=failure,
                setup=setup if flat.admitted_at else None,
                worker=_ended(flat, since),
                outputs=flat.outputs,
                removal=Removal(at=flat.cleaned_at) if flat.cleaned else None,
            )


def _setup(flat: FlatRecord, since: datetime) -> Setup:
    return Setup(
        admitted_at=flat.admitted_at or since,
        image=Image(id=flat.image_id) if flat.image_id is not None else None,
        worker=WorkerContainer(id=flat.worker_id) if flat.worker_id is not None else None,
        sidecar_id=flat.sidecar_id,
        sidecar_runs=flat.sidecar_runs,
    )


def _sidecar(flat: FlatRecord) -> SidecarRun | None:
    if flat.sidecar_intended_at is None:
        return None
    return SidecarRun(
        asked_at=flat.sidecar_intended_at,
        in_doubt=flat.unstarted == "sidecar",
        report_n=flat.report_n,
        outputs_begun=flat.outputs_heard,
        unread=flat.unread_report,
    )


def _worker(flat: FlatRecord, stop: Stop | None) -> Starting | Started | None:
    if flat.start_intended_at is None:
        return None
    if flat.started_at is None or flat.deadline is None:
        return Starting(asked_at=flat.start_intended_at, in_doubt=flat.unstarted == "worker", stop=stop)
    return Started(
        asked_at=flat.start_intended_at,
        started_at=flat.started_at,
        deadline=flat.deadline,
        timed_out=flat.timed_out,
        stop=stop,
        usage=_usage(flat),
    )


def _ended(flat: FlatRecord, since: datetime) -> Ended | None:
    if flat.start_intended_at is None and flat.exit_code is None:
        return None
    return Ended(
        asked_at=flat.start_intended_at or since,
        started_at=flat.started_at,
        exited_at=flat.exited_at,
        exit_code=flat.exit_code,
        oom_killed=flat.oom_killed,
        timed_out=flat.timed_out,
        usage=_usage(flat),
    )


def _usage(flat: FlatRecord) -> WorkerUsage | None:
    if flat.cpu_s is None or flat.memory_peak_bytes is None:
        return None
    return WorkerUsage(cpu_s=flat.cpu_s, memory_peak_bytes=flat.memory_peak_bytes)


def _failure(flat: FlatRecord) -> Failure | None:
    return Failure(reason=flat.reason, error=flat.error) if flat.reason is not None else None
