"""The job's state machine: what a fact changes. Pure.

`step(record, fact)` returns the next record and the change's events; the caller stores both in one commit.

    queued -> pulling -> [inputs] -> running -> [outputs] -> done
                 any phase ends early through `worker_never_ran` or `finish`

Owns which fact counts in which phase. In `transitions`, `on_observed.py` handles observations, `on_reported.py` the sidecar's
reports, `outcome.py` the end of a run. Must not know of the store, the engine's calls, HTTP or asyncio.
"""

from dataclasses import replace
from datetime import datetime

from jobd.jobs.record.awaited_times import clock_moved
from jobd.jobs.record.parts import (
    CancelRequest,
    Failure,
    Image,
    Removal,
    Setup,
    SidecarRun,
    Started,
    Starting,
    Stop,
    WorkerContainer,
    WorkerUsage,
)
from jobd.jobs.record.phase_times import timed
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
)
from jobd.jobs.record.text_limits import bounded
from jobd.jobs.state import facts, freezing
from jobd.jobs.state.next_action import INPUTS_LIMIT, OUTPUTS_LIMIT
from jobd.jobs.state.run_times import not_before
from jobd.jobs.state.step import Step
from jobd.jobs.state.transitions.engine_error_limit import answered, erred
from jobd.jobs.state.transitions.on_dependency import dependency_ended
from jobd.jobs.state.transitions.on_observed import never_started, observed, start_unsent
from jobd.jobs.state.transitions.on_reported import reported, unread
from jobd.jobs.state.transitions.outcome import (
    finish,
    log_drained,
    outputs_begin,
    outputs_collected,
    outputs_failure,
    sidecar_again,
    worker_never_ran,
)
from jobd.wire.job import JobSpec

INPUTS_TOOK_TOO_LONG = "inputs took longer than an hour"
OUTPUTS_TOOK_TOO_LONG = "outputs took longer than an hour"


def step(record: Record, spec: JobSpec, fact: facts.Fact, now: datetime) -> Step:
    """Returns the step of `fact` for `record`. A late fact changes nothing."""
    found = _step(record, spec, fact, now)
    return found if found.record.phase == record.phase else replace(found, record=timed(record, found.record))


def _step(record: Record, spec: JobSpec, fact: facts.Fact, now: datetime) -> Step:
    state = record.state
    if isinstance(state, Done):
        return Step(_after_end(record, state, fact, now))
    fact = bounded(record, fact)
    match fact:
        case facts.Admitted(gpus) if isinstance(state, Queued) and not record.scheduling.after:
            setup = Setup(admitted_at=not_before(record, now), gpus=list(gpus))
            return Step(record.with_state(Pulling(since=now, setup=setup)))
        case facts.DependencyEnded() if isinstance(state, Queued):
            return dependency_ended(record, spec, fact, now)
        case facts.Reprioritized(priority, ticket) if isinstance(state, Queued):
            changed = {} if ticket is None else {"ticket": ticket}
            return Step(record.change(scheduling=record.scheduling.change(priority=priority, **changed)))
        case facts.ImageReady(image) if isinstance(state, Pulling):
            setup = state.setup.change(image=Image(id=image.id))
            # The pull is over: errors of the engine during the pull do not count for the creation.
            pulled = record.with_state(state.change(setup=setup), engine_errors=None)
            return Step(pulled.change(image_digest=image.digest))
        case facts.Prepared():
            return _prepared(record, spec, fact, now)
        case facts.SetupFailed(reason, message) if not record.worker_over:
            return worker_never_ran(record, spec, now, Failure(reason=reason, error=message))
        case facts.EngineErred():
            return erred(record, spec, fact, now)
        case facts.EngineAnswered():
            return Step(answered(record, fact))
        case facts.SidecarStarting() if isinstance(state, LoadingInputs) and not record.is_stopping:
            setup = state.setup.change(sidecar_runs=state.setup.sidecar_runs + 1)
            return Step(record.with_state(state.change(setup=setup, sidecar=SidecarRun(asked_at=now))))
        case facts.WorkerStarting() if isinstance(state, Running) and state.worker is None:
            return Step(record.with_state(state.change(worker=Starting(asked_at=now))))
        case facts.WorkerStartFailed(exit_code, message) if isinstance(state, Running):
            failure = Failure(reason="start-failed", error=message)
            return worker_never_ran(record, spec, now, failure, exit_code)
        case facts.SidecarLost(why, counts) if isinstance(state, Running) and state.worker is None:
            again = LoadingInputs(since=now, setup=state.setup)
            return sidecar_again(record, spec, again, now, why, counts=counts)
        case facts.StartUnsent() if isinstance(state, Running) and isinstance(state.worker, Starting):
            return start_unsent(record, spec, state, state.worker, now)
        case facts.NeverStarted():
            return never_started(record, spec, fact, now)
        case facts.Observed():
            return observed(record, spec, fact, now)
        case facts.Reported():
            return reported(record, spec, fact, now)
        case facts.ReportUnread():
            return unread(record, spec, fact)
        case facts.SidecarNotified() if isinstance(state, DeliveringOutputs):
            return Step(record.with_state(state.change(told_at=now)))
        case facts.OutputsCollected() if isinstance(state, CollectingOutputs):
            return outputs_collected(record, spec, state, fact, now)
        case facts.LogsDrained() if isinstance(state, DrainingLog):
            return log_drained(record, spec, state, now)
        case facts.StopSent(kill):
            return Step(_stop_sent(record, kill, now))
        case facts.CancelRequested():
            return _cancelled(record, spec, fact, now)
        case facts.PauseRequested(paused):
            return Step(_paused(record, paused))
        case (
            facts.WorkerFreezing()
            | facts.WorkerFrozen()
            | facts.FreezeRefused()
            | facts.WorkerThawing()
            | facts.WorkerThawed()
        ) if isinstance(state, Running) and isinstance(state.worker, Started):
            worker = _frozen_or_thawed(record, state.worker, fact, now)
            return Step(record.with_state(state.change(worker=worker)))
        case facts.InputOpening() | facts.InputEnding() | facts.InputCut() if isinstance(state, Running):
            return Step(_input_changed(record, fact))
        case facts.TimePassed():
            return Step(_time_passed(record, now))
        case facts.Measured() if isinstance(state, Running) and isinstance(state.worker, Started):
            worker = _measured(state.worker, fact)
            return Step(record.with_state(state.change(worker=worker)))
        case facts.ClockMoved(boot, offset):
            return Step(clock_moved(record, boot, offset))
        case facts.Cleaned() if isinstance(state, Queued) and state.retry is not None:
            return Step(record.with_state(state.change(retry=state.retry.change(leftovers=False))))
        case _:
            return Step(record)


def _prepared(record: Record, spec: JobSpec, fact: facts.Prepared, now: datetime) -> Step:
    created = fact.created
    worker = WorkerContainer(id=created.worker_id)
    prepared = record.with_setup(worker=worker, sidecar_id=created.sidecar_id)
    state = prepared.state
    if not isinstance(state, Pulling):
        return Step(prepared)
    # Errors that were counted under an action of an older version end here too.
    if spec.needs_sidecar:
        return Step(prepared.with_state(LoadingInputs(since=now, setup=state.setup), engine_errors=None))
    if record.takes is not None:
        return outputs_begin(prepared.with_state(state, engine_errors=None), spec, state, now)
    return Step(prepared.with_state(Running(since=now, setup=state.setup), engine_errors=None))


def _stop_sent(record: Record, kill: bool, now: datetime) -> Record:
    before, state = record.stop, record.state
    stop = Stop(
        sent_at=before.sent_at if before else now, killed=kill or (before is not None and before.killed)
    )
    if isinstance(state, LoadingInputs | DeliveringOutputs):
        return record.with_state(state.change(stop=stop))
    if isinstance(state, Running) and state.worker is not None:
        return record.with_state(state.change(worker=state.worker.change(stop=stop)))
    return record


def _cancelled(record: Record, spec: JobSpec, request: facts.CancelRequested, now: datetime) -> Step:
    before, state = record.cancel, record.state
    grace_s = record.stop_policy.grace_s if request.grace_s is None else request.grace_s
    requested = record.change(
        cancel=CancelRequest(
            # A later request never weakens an earlier one: a delete stays a delete.
            delete=request.delete or record.is_deleted,
            by=(before.by if before else None) or request.by,
            why=(before.why if before else None) or request.why,
            signal=request.signal or record.stop_policy.signal,
            grace_s=min(grace_s, before.grace_s) if before else grace_s,
        )
    )
    if isinstance(state, Queued | Pulling) or (isinstance(state, Running) and state.worker is None):
        return worker_never_ran(requested, spec, now, Failure(reason="cancelled"))
    if isinstance(state, CollectingOutputs):
        return finish(requested, spec, now, None, state.worker)
    return Step(requested)


def _paused(record: Record, paused: bool) -> Record:
    state = record.state
    if paused and isinstance(state, Running) and isinstance(state.worker, Started):
        # The user asks again: the engine may freeze the worker now.
        record = record.with_state(state.change(worker=state.worker.change(freeze_refusal=None)))
    return record.change(paused=paused)


def _input_changed(record: Record, fact: facts.Fact) -> Record:
    match fact, record.input:
        case facts.InputOpening(), "unopened":
            return record.change(input="open")
        case facts.InputEnding(), "open":
            return record.change(input="ended")
        case facts.InputCut(), "open":
            return record.change(input="cut")
        case _:
            return record


def _frozen_or_thawed(record: Record, worker: Started, fact: facts.Fact, now: datetime) -> Started:
    match fact:
        case facts.WorkerFreezing() if not record.end_ordered:
            return freezing.freezing(worker, now)
        case facts.WorkerFrozen():
            return freezing.frozen(worker)
        case facts.FreezeRefused(message):
            return freezing.refused(worker, message, now)
        case facts.WorkerThawing():
            return freezing.thawing(worker, now)
        case facts.WorkerThawed():
            return freezing.thawed(worker, now)
        case _:
            return worker


def _time_passed(record: Record, now: datetime) -> Record:
    match record.state:
        case Running(worker=Started(freeze=None) as worker) as state if now >= worker.deadline:
            return record.with_state(state.change(worker=worker.change(timed_out=True)))
        case LoadingInputs(failure=None) as state if now >= state.since + INPUTS_LIMIT:
            failure = Failure(reason="input-failed", error=INPUTS_TOOK_TOO_LONG)
            return record.with_state(state.change(failure=failure))
        case DeliveringOutputs() as state if now >= state.since + OUTPUTS_LIMIT:
            if state.stop is not None and state.stop.killed:
                return record
            failure = outputs_failure(record, state.failure, OUTPUTS_TOOK_TOO_LONG)
            return record.with_state(state.change(failure=failure, overdue=True))
        case _:
            return record


def _measured(worker: Started, fact: facts.Measured) -> Started:
    usage = fact.usage
    peak = max(usage.memory_peak_bytes, worker.usage.memory_peak_bytes if worker.usage else 0)
    return worker.change(usage=WorkerUsage(cpu_s=usage.cpu_s, memory_peak_bytes=peak))


def _after_end(record: Record, state: Done, fact: facts.Fact, now: datetime) -> Record:
    match fact:
        case facts.CancelRequested(delete=True):
            return record.change(cancel=(record.cancel or CancelRequest()).change(delete=True))
        case facts.Cleaned():
            at = (state.removal.at if state.removal else None) or not_before(record, now)
            return record.with_state(state.change(removal=Removal(at=at)))
        case _:
            return record
