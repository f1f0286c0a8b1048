"""Decides the next action of a job. Pure.

`next_action(record, observation)` depends on a state alone, not on the state's history: a start of jobd, a reconnect to the engine
and normal operation therefore share their code.
"""

from datetime import datetime, timedelta

from jobd.jobs.port.model import ContainerState, Observation
from jobd.jobs.record.own_containers import is_mine
from jobd.jobs.record.parts import Started, Starting, Stop
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
from jobd.jobs.state import actions
from jobd.jobs.state.freezing import REFUSED_AGAIN

INPUTS_LIMIT = timedelta(hours=1)
OUTPUTS_LIMIT = timedelta(hours=1)
AMBIGUOUS_START = timedelta(seconds=10)
"""A container that is still `created` this long after its start was requested is removed and created again."""
TELL_AGAIN = timedelta(seconds=1)


def next_action(
    record: Record, observation: Observation | None, now: datetime, *, group_paused: bool = False
) -> actions.Action:
    """Returns the next action. `observation`: made since the last change, or None. `group_paused`: the group's workers, or all workers,
    are paused.
    """
    match record.state:
        case Queued() as state:
            return _next_in_queue(state, now)
        case Pulling():
            return actions.Prepare()
        case LoadingInputs() as state:
            return _next_in_inputs(record, state, observation, now)
        case Running() as state:
            return _next_in_running(record, state, observation, now, record.paused or group_paused)
        case DrainingLog():
            return actions.DrainLogs()
        case DeliveringOutputs() as state:
            return _next_in_outputs(record, state, observation, now)
        case CollectingOutputs():
            return actions.CollectOutputs()
        case Done(removal=removal):
            return actions.Remove() if record.is_deleted and removal is None else actions.Done()


def _next_in_queue(state: Queued, now: datetime) -> actions.Action:
    if state.retry is None:
        return actions.Admit()
    if state.retry.leftovers:
        return actions.Remove()
    return actions.Wait(state.retry.due_at) if now < state.retry.due_at else actions.Admit()


def _next_in_inputs(
    record: Record, state: LoadingInputs, observation: Observation | None, now: datetime
) -> actions.Action:
    if not record.is_stopping:
        if state.setup.worker is None:
            return actions.Prepare()
        if state.sidecar is None:
            return actions.StartSidecar()
        if state.sidecar.in_doubt:
            return actions.RemoveUnstarted("sidecar")
    if observation is None:
        return actions.Observe()
    if record.is_stopping:
        return _kill_sidecar(state.stop, now)
    if state.sidecar is not None and is_mine(observation.sidecar, record, ContainerState.CREATED):
        return actions.Wait(state.sidecar.asked_at + AMBIGUOUS_START)
    return actions.Wait(state.since + INPUTS_LIMIT)


def _next_in_running(
    record: Record, state: Running, observation: Observation | None, now: datetime, paused: bool
) -> actions.Action:
    worker = state.worker
    if state.setup.worker is None:
        return actions.Prepare()
    if worker is None:
        return actions.Wait(None) if paused else actions.StartWorker()
    if isinstance(worker, Starting) and worker.in_doubt:
        return actions.RemoveUnstarted("worker")
    if observation is None:
        return actions.Observe()
    if is_mine(observation.worker, record, ContainerState.CREATED):
        return actions.Wait(worker.asked_at + AMBIGUOUS_START)
    if not record.end_ordered:
        return _next_while_running(worker, now, paused) if isinstance(worker, Started) else actions.Wait(None)
    if isinstance(worker, Started) and worker.freeze is not None:
        return actions.ThawWorker()  # a frozen worker handles no signal
    if worker.stop is None:
        return actions.Signal("worker", kill=record.grace_s <= 0)
    kill_at = worker.stop.sent_at + timedelta(seconds=record.grace_s)
    if not worker.stop.killed and now >= kill_at:
        return actions.Signal("worker", kill=True)
    return actions.Wait(None if worker.stop.killed else kill_at)


def _next_while_running(worker: Started, now: datetime, paused: bool) -> actions.Action:
    freeze, refusal = worker.freeze, worker.freeze_refusal
    if not paused:
        # Without a freeze, a refusal is forgotten: the next pause tries again.
        return actions.Wait(worker.deadline) if freeze is None and refusal is None else actions.ThawWorker()
    if refusal is not None and now < refusal.since + REFUSED_AGAIN:
        return actions.Wait(min(worker.deadline, refusal.since + REFUSED_AGAIN))
    if freeze is None or not freeze.confirmed or freeze.thaw_at is not None:
        return actions.FreezeWorker()
    return actions.Wait(None)


def _next_in_outputs(
    record: Record, state: DeliveringOutputs, observation: Observation | None, now: datetime
) -> actions.Action:
    notify = actions.TellSidecar(has_succeeded(record))
    if state.told_at is None and not record.is_stopping:
        return notify
    if observation is None:
        return actions.Observe()
    if record.is_stopping:
        return _kill_sidecar(state.stop, now)
    if state.sidecar.outputs_begun:
        return actions.Wait(state.since + OUTPUTS_LIMIT)
    if state.told_at is None or now >= state.told_at + TELL_AGAIN:
        return notify
    return actions.Wait(state.told_at + TELL_AGAIN)


def has_succeeded(record: Record) -> bool:
    """Returns whether an ended worker has succeeded: which outputs the sidecar delivers depends on that."""
    return record.failure is None and record.exit_code == 0


def _kill_sidecar(stop: Stop | None, now: datetime) -> actions.Action:
    # The kill may have reached a sidecar that did not run yet: jobd repeats the kill every second.
    is_killed = stop is not None and stop.killed
    return actions.Wait(now + TELL_AGAIN) if is_killed else actions.Signal("sidecar", kill=True)
