"""What an observation of a job's containers changes, state by state. Pure.

Owns what a container's state, or its absence, means: a start, an end, a loss, or a reason to observe again later. `on_reported.py`
handles the sidecar's reports.
"""

from datetime import datetime, timedelta

from jobd.jobs.port.model import ContainerFacts, ContainerState, EndCause
from jobd.jobs.record.own_containers import is_mine
from jobd.jobs.record.parts import Failure, SidecarRun, Started, Starting, Stop
from jobd.jobs.record.record import Record
from jobd.jobs.record.states import DeliveringOutputs, LoadingInputs, Running
from jobd.jobs.state import facts, freezing, run_times
from jobd.jobs.state.event_drafts import Draft, data_of
from jobd.jobs.state.next_action import AMBIGUOUS_START
from jobd.jobs.state.step import Step
from jobd.jobs.state.transitions.outcome import (
    finish,
    has_outputs,
    outputs_failure,
    sidecar_again,
    worker_ended,
    worker_never_ran,
)
from jobd.wire import event
from jobd.wire.job import JobSpec

NOT_EXECUTED = "the command cannot be executed"
_LOST = {
    EndCause.ENGINE_STOPPED: "the engine was stopped or killed while the worker ran",
    EndCause.EVICTED: "the engine evicted the worker while it ran",
    EndCause.NODE_LOST: "the machine that the worker ran on was lost",
    EndCause.UNKNOWN: "the engine does not report how the worker ended",
}
"""Causes after which the exit code says nothing of the job's command, with the error text of the lost job."""


def observed(record: Record, spec: JobSpec, fact: facts.Observed, now: datetime) -> Step:
    """Returns the step of an observation for an unfinished job."""
    observation, drained = fact.observation, fact.reports_drained
    match record.state:
        case LoadingInputs() as state:
            return _inputs(record, spec, state, observation.sidecar, drained, now)
        case Running(worker=worker) as state if worker is not None:
            return _worker(record, spec, state, worker, observation.worker, now)
        case DeliveringOutputs() as state:
            return _outputs(record, spec, state, observation.sidecar, drained, now)
        case _:
            return Step(record)


def _inputs(
    record: Record,
    spec: JobSpec,
    state: LoadingInputs,
    sidecar: ContainerFacts | None,
    drained: bool,
    now: datetime,
) -> Step:
    alive = is_mine(sidecar, record, ContainerState.RUNNING)
    run = state.sidecar
    if run is not None and run.in_doubt and sidecar is not None and sidecar.started_at is not None:
        run = run.change(in_doubt=False)
        state = state.change(sidecar=run)
        record = record.with_state(state)
    if record.is_stopping:
        if alive:
            return Step(record.with_state(state.change(stop=_again(state.stop))))
        failure = state.failure or Failure(reason="cancelled", error="cancelled")
        return worker_never_ran(record, spec, now, failure)
    if alive or run is None:
        return Step(record)
    if sidecar is None or sidecar.attempt != record.attempt.number:
        why = "the sidecar container was removed while inputs were loaded"
        return worker_never_ran(record, spec, now, Failure(reason="lost", error=why))
    if sidecar.state is ContainerState.CREATED:
        if sidecar.start_may_pass or now >= run.asked_at + AMBIGUOUS_START:
            return Step(record.with_state(state.change(sidecar=run.change(in_doubt=True))))
        return Step(record)
    if drained and sidecar.ended:
        why = f"the sidecar ended with code {sidecar.exit_code} before inputs were ready"
        counts = sidecar.cause is not EndCause.ENGINE_STOPPED
        return sidecar_again(record, spec, state, now, why, counts=counts)
    return Step(record)


def _worker(
    record: Record,
    spec: JobSpec,
    state: Running,
    run: Starting | Started,
    worker: ContainerFacts | None,
    now: datetime,
) -> Step:
    if worker is None or worker.attempt != record.attempt.number:
        why = "the worker container was removed by someone else"
        if isinstance(run, Starting) and run.in_doubt:
            why = "the worker container is removed, and the engine does not report whether it ran"
        return worker_ended(record, spec, state, run, None, now, Failure(reason="lost", error=why))
    if worker.started_at is None:
        if worker.image_unavailable:
            failure = Failure(reason="image-not-found", error=worker.error)
            return worker_never_ran(record, spec, now, failure)
        if worker.exit_code and worker.error and not worker.start_may_pass:
            failure = Failure(reason="start-failed", error=worker.error)
            return worker_never_ran(record, spec, now, failure, worker.exit_code)
        late = now >= run.asked_at + AMBIGUOUS_START
        # A start that is under way is withdrawn only for a job that is to end.
        withdrawn = worker.state is ContainerState.STARTING and record.end_ordered
        if withdrawn or (worker.state is ContainerState.CREATED and (worker.start_may_pass or late)):
            doubted = Starting(asked_at=run.asked_at, in_doubt=True, stop=run.stop)
            return Step(record.with_state(state.change(worker=doubted)))
        return Step(record)
    started = Step(record)
    if isinstance(run, Starting):
        run = _started(record, spec, run, worker.started_at, now)
        drafts = () if record.events.started else (Draft(event.START, data_of(record, spec)),)
        events = record.events.change(started=True)
        started = Step(record.with_state(state.change(worker=run)).change(events=events), drafts)
    if not worker.ended:
        run = freezing.observed(run, worker.frozen, now)
        return started.then(Step(started.record.with_state(state.change(worker=run))))
    ordered = record.end_ordered
    lost = None if worker.cause is None or ordered else _LOST.get(worker.cause)
    if lost is not None:
        failure = Failure(reason="lost", error=lost)
        return started.then(worker_ended(started.record, spec, state, run, None, now, failure))
    if worker.cause is EndCause.NOT_EXECUTED:
        failure = Failure(reason="start-failed", error=worker.error or NOT_EXECUTED)
        return started.then(worker_ended(started.record, spec, state, run, worker, now, failure))
    if worker.cause is EndCause.DEADLINE and not ordered:
        run = run.change(timed_out=True)
        started = Step(started.record.with_state(state.change(worker=run)), started.drafts)
    return started.then(worker_ended(started.record, spec, state, run, worker, now))


def start_unsent(record: Record, spec: JobSpec, state: Running, worker: Starting, now: datetime) -> Step:
    """Returns the step for a worker whose start the engine was not asked for: jobd asks again, unless the job is stopping."""
    if worker.in_doubt:
        return Step(record)
    if record.is_stopping:
        return worker_never_ran(record, spec, now, Failure(reason="cancelled"))
    return Step(record.with_state(state.change(worker=None)))


def never_started(record: Record, spec: JobSpec, fact: facts.NeverStarted, now: datetime) -> Step:
    """Returns the step for a container that was removed before it ran: jobd creates it again, unless the job is stopping."""
    match record.state:
        case Running(worker=Starting(in_doubt=True)) as state if fact.role == "worker":
            if record.is_stopping:
                return worker_never_ran(record, spec, now, Failure(reason="cancelled"))
            setup = state.setup.change(worker=None)
            return Step(record.with_state(state.change(setup=setup, worker=None)))
        case LoadingInputs(sidecar=SidecarRun(in_doubt=True)) as state if fact.role == "sidecar":
            if record.is_stopping:
                return Step(record.with_sidecar(in_doubt=False))
            return sidecar_again(record, spec, state, now, "", counts=False)
        case _:
            return Step(record)


def _started(record: Record, spec: JobSpec, run: Starting, at: datetime, now: datetime) -> Started:
    began = run_times.began(run.asked_at, at, now)
    return Started(
        asked_at=run.asked_at,
        started_at=run_times.not_before(record, began),
        deadline=began + timedelta(seconds=spec.timeout_s),
        stop=run.stop,
    )


def _again(stop: Stop | None) -> Stop | None:
    """Returns the stop of a sidecar that still runs: jobd repeats a kill that was sent before the sidecar ran."""
    return stop.change(killed=False) if stop else None


def _outputs(
    record: Record,
    spec: JobSpec,
    state: DeliveringOutputs,
    sidecar: ContainerFacts | None,
    drained: bool,
    now: datetime,
) -> Step:
    if is_mine(sidecar, record, ContainerState.RUNNING):
        return Step(record.with_state(state.change(stop=_again(state.stop))))
    if record.is_stopping:
        return finish(record, spec, now, state.failure, state.worker)
    if sidecar is not None and sidecar.state is ContainerState.CREATED:
        sidecar = (
            None  # the sidecar that ran was removed; this sidecar was created together with a new worker
        )
    if sidecar is not None and sidecar.attempt == record.attempt.number and not drained:
        return Step(record)
    if not has_outputs(spec):
        return finish(record, spec, now, state.failure, state.worker)  # the sidecar only held the secrets
    code = "was removed" if sidecar is None else f"ended with code {sidecar.exit_code}"
    why = f"the sidecar {code} before outputs were done"
    return finish(record, spec, now, outputs_failure(record, state.failure, why), state.worker)
