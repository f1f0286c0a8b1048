"""The end of a job's run: the worker's end, the exit event, the final status. Pure.

Owns what ends a job and the order of its last events: exit, then outputs, then `complete`. `machine.py`, `on_observed.py` and
`on_reported.py` decide which facts lead here.
"""

from datetime import datetime

from jobd.jobs.port.model import ContainerFacts, EndCause
from jobd.jobs.record.parts import (
    ArtifactState,
    CancelRequest,
    Ended,
    Failure,
    OutputState,
    Removal,
    Started,
    Starting,
    ended,
)
from jobd.jobs.record.record import Record
from jobd.jobs.record.states import (
    CollectingOutputs,
    DeliveringOutputs,
    Done,
    DrainingLog,
    LoadingInputs,
    Pulling,
    Running,
)
from jobd.jobs.state import facts, freezing, run_times
from jobd.jobs.state.event_drafts import Draft, artifact_type, data_of, event_exit_code
from jobd.jobs.state.retry import is_repeated, repeated
from jobd.jobs.state.step import Step
from jobd.wire import event
from jobd.wire.artifact import after_job
from jobd.wire.job import JobSpec

MAX_SIDECAR_RUNS = 3
CANCELLED = "cancelled"
INPUT_CUT = "jobd was stopped while the job read its standard input: the command has read an end that nobody sent, so its result may lack a part"
DEPENDENCY = "dependency"
"""The reason of a job that was cancelled since a job that it waited for ended otherwise than required."""


def has_outputs(spec: JobSpec) -> bool:
    """True if an artifact runs after the job."""
    return bool(after_job(spec.artifacts))


def sidecar_waits(spec: JobSpec) -> bool:
    """True if the sidecar runs beside the worker: for outputs, or because the secrets' memory needs a running container."""
    return has_outputs(spec) or bool(spec.secrets)


def worker_ended(
    record: Record,
    spec: JobSpec,
    state: Running,
    worker: Starting | Started,
    worker_facts: ContainerFacts | None,
    now: datetime,
    failure: Failure | None = None,
) -> Step:
    """Returns the job whose worker has ended, as `worker_facts`, or is removed (None); jobd must still read the worker's log. Without a `failure`,
    derives the failure, if any.
    """
    code = worker_facts.exit_code if worker_facts else None
    oom = worker_facts is not None and worker_facts.cause is EndCause.OUT_OF_MEMORY
    if record.cancel is not None:
        failure = _cancelled(record)
    elif failure is None:
        failure = _failure_of(
            spec,
            code,
            oom=oom,
            timed_out=record.timed_out,
            why=worker_facts.error if worker_facts else "",
            peak_bytes=record.usage.memory_peak_bytes if record.usage else None,
        )
        if failure is None and record.input == "cut":
            failure = Failure(reason="input-failed", error=INPUT_CUT)
    exited_at = run_times.exited(record, worker_facts, now)
    if isinstance(worker, Started):
        worker = freezing.ended(worker, exited_at)
    over = ended(worker).change(exit_code=code, oom_killed=oom, exited_at=exited_at)
    return Step(
        record.with_state(
            DrainingLog(
                since=state.since, setup=state.setup, sidecar=state.sidecar, worker=over, failure=failure
            )
        )
    )


def _failure_of(
    spec: JobSpec, code: int | None, *, oom: bool, timed_out: bool, why: str, peak_bytes: int | None
) -> Failure | None:
    if timed_out:
        return Failure(reason="timeout", error=f"stopped after {spec.timeout_s} seconds (timeoutSeconds)")
    if oom:
        words = f"killed by the kernel: over {spec.memory_mb} MB of memory, the job's limit"
        if peak_bytes:  # unknown of a worker that ends before jobd measures
            words += f"; measured use: up to {peak_bytes / (1 << 20):.1f} MB"
        return Failure(reason="oom-killed", error=words)
    if code != 0:
        words = f"the command exited with code {code}"
        return Failure(reason="exit-code", error=f"{words}; {why}" if why else words)
    return None


def _cancelled(record: Record) -> Failure:
    by, why = (record.cancel.by, record.cancel.why) if record.cancel else (None, None)
    words = f"cancelled by {by or 'a user'}"
    return Failure(reason=CANCELLED, error=f"{words}: {why}" if why else words)


def outputs_follow(record: Record, spec: JobSpec) -> bool:
    """True while the ended worker's log is drained, if the attempt certainly continues with the outputs: the sidecar may begin them."""
    state = record.state
    if not isinstance(state, DrainingLog) or state.sidecar is None or record.cancel is not None:
        return False
    return has_outputs(spec) and not is_repeated(record, spec, state.failure, state.worker)


def log_drained(record: Record, spec: JobSpec, state: DrainingLog, now: datetime) -> Step:
    """Returns the job whose ended worker's log is complete: announces the exit and continues with the outputs or the end."""
    return _exited(record, spec, now, state.failure, state.worker)


def worker_never_ran(
    record: Record, spec: JobSpec, now: datetime, failure: Failure, exit_code: int | None = None
) -> Step:
    """Returns the job whose worker never ran: announces that and continues with the outputs or the end. A user's request outranks the
    given failure. `exit_code`: the engine's, if the engine tried to start the worker.
    """
    worker = ended(record.worker)
    if worker is not None:
        worker = worker.change(exit_code=exit_code)
    if record.takes is not None:
        worker, failure = record.takes.worker, Failure(reason="output-failed", error=failure.error)
    if record.cancel is not None:
        failure = _cancelled(record)
    return _exited(record, spec, now, failure, worker)


def outputs_begin(record: Record, spec: JobSpec, state: Pulling | LoadingInputs, now: datetime) -> Step:
    """Returns the job that repeats the outputs of an earlier job, once its sidecar runs, if it has one: announces the earlier worker's
    exit code and continues with the outputs.
    """
    assert record.takes is not None
    worker = record.takes.worker
    data = data_of(record, spec, exitCode=event_exit_code(worker.exit_code))
    exit_told = Step(record, (Draft(event.EXIT, data),))
    if isinstance(state, Pulling) or state.sidecar is None:
        return exit_told.then(finish(record, spec, now, None, worker))
    outputs = DeliveringOutputs(since=now, setup=state.setup, sidecar=state.sidecar, worker=worker)
    return exit_told.then(Step(record.with_state(outputs)))


def _exited(
    record: Record, spec: JobSpec, now: datetime, failure: Failure | None, worker: Ended | None
) -> Step:
    """Announces the exit, with the code that `complete` and the job's view show, or the next attempt."""
    if failure is not None and is_repeated(record, spec, failure, worker):
        following, draft = repeated(record, spec, failure, worker, now)
        return Step(following, (draft,))
    data = data_of(
        record,
        spec,
        exitCode=event_exit_code(worker.exit_code if worker else None),
        error=failure.error if failure else None,
    )
    exit_told = Step(record, (Draft(event.EXIT, data),))
    state = record.state
    if isinstance(state, Running | DrainingLog) and state.sidecar is not None and sidecar_waits(spec):
        outputs = DeliveringOutputs(
            since=now, setup=state.setup, sidecar=state.sidecar, worker=worker, failure=failure
        )
        return exit_told.then(Step(record.with_state(outputs)))
    return exit_told.then(finish(record, spec, now, failure, worker))


def finish(
    record: Record,
    spec: JobSpec,
    now: datetime,
    failure: Failure | None,
    worker: Ended | None,
    outputs: dict[str, OutputState] | None = None,
) -> Step:
    """Returns the job with its final status, and the last event of any job, which announces the status. jobd first checks the outputs
    that the client fetches, unless `outputs` has them: `completed` means that they exist.
    """
    if record.cancel is None and record.sidecar is not None and record.sidecar.unread is not None:
        failure = outputs_failure(record, failure, record.sidecar.unread)
    if spec.outputs and outputs is None and record.cancel is None and failure is None:
        assert worker is not None  # without a failure the worker has run
        assert record.setup is not None
        return Step(
            record.with_state(
                CollectingOutputs(since=now, setup=record.setup, sidecar=record.sidecar, worker=worker)
            )
        )
    is_cancelled = record.cancel is not None or (failure is not None and failure.reason == DEPENDENCY)
    if record.cancel is not None:
        failure = Failure(reason=CANCELLED, error=failure.error if failure else None)
    # The sidecar did not try artifacts without a report, and will not.
    skipped = ArtifactState(status="skipped")
    states = {
        name: skipped if state.status == "pending" else state
        for name, state in record.attempt.artifacts.items()
    }
    done = Done(
        finished_at=run_times.not_before(record, now),
        cancelled=is_cancelled,
        failure=failure,
        setup=record.setup,
        worker=worker,
        outputs=outputs or {},
    )
    over = record.with_state(done, artifacts=states)
    data = data_of(over, spec, status=over.status, exitCode=event_exit_code(over.exit_code), error=over.error)
    artifacts = [
        {"id": a.id, "type": artifact_type(spec, a.id), "status": states[a.id].status}
        for a in spec.artifacts
        if a.id in states
    ]
    data |= {"reason": over.reason, "artifacts": artifacts, "durations": run_times.durations(over)}
    return Step(over, (Draft(event.COMPLETE, data),))


def outputs_collected(
    record: Record, spec: JobSpec, state: CollectingOutputs, fact: facts.OutputsCollected, now: datetime
) -> Step:
    """Returns the end of a job whose outputs were checked."""
    failure = Failure(reason=fact.reason, error=fact.error) if fact.reason is not None else None
    return finish(record, spec, now, failure, state.worker, dict(fact.outputs))


def outputs_failure(record: Record, failure: Failure | None, error: str) -> Failure:
    """Returns the failure of a job whose outputs have failed. The worker's own `failure`, if any, stays the reason."""
    unread = record.sidecar.unread if record.sidecar else None
    if unread is not None and unread != error:
        error = f"{error}; {unread}"
    return failure or Failure(reason="output-failed", error=error)


def sidecar_again(
    record: Record, spec: JobSpec, state: LoadingInputs, now: datetime, why: str, *, counts: bool = True
) -> Step:
    """Returns the job whose sidecar has ended before the inputs were ready: jobd creates a new sidecar, or, after a few runs, fails the job.
    `counts`: False if the sidecar did not end by itself.
    """
    runs = state.setup.sidecar_runs - (not counts)
    if runs >= MAX_SIDECAR_RUNS:
        return worker_never_ran(record, spec, now, Failure(reason="input-failed", error=why))
    setup = state.setup.change(worker=None, sidecar_id=None, sidecar_runs=runs)
    return Step(record.with_state(state.change(setup=setup, sidecar=None)))


def purged(record: Record, reason: str | None = None) -> Record:
    """Returns the record of a job whose row is removed: hidden, and without a next action. `reason`: why an unfinished job ended."""
    state = record.state
    if not isinstance(state, Done):
        failure = Failure(reason=reason) if reason else record.failure
        state = Done(finished_at=state.since, cancelled=True, failure=failure, worker=ended(record.worker))
    return record.change(
        attempt=record.attempt.change(state=state.change(removal=state.removal or Removal())),
        cancel=(record.cancel or CancelRequest()).change(delete=True),
        log=record.log.change(announced=record.log.seq),
    )
