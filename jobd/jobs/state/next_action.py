"""What a job's state asks for next. Pure.

`next_action(record, seen)` looks at a state, never at how it came about, and names the one thing to do: boot, reconnect to the
engine and normal running are therefore the same code.
"""

from datetime import datetime, timedelta

from jobd.jobs.port.model import ContainerFacts, ContainerState, Observation
from jobd.jobs.state import actions
from jobd.jobs.state.record import Record

INPUTS_LIMIT = timedelta(hours=1)
OUTPUTS_LIMIT = timedelta(hours=1)
AMBIGUOUS_START = timedelta(seconds=10)
"""A container that is still `created` this long after its start was asked for is removed, unless it runs by then, and made anew."""
TELL_AGAIN = timedelta(seconds=1)


def next_action(record: Record, seen: Observation | None, now: datetime) -> actions.Action:
    """Returns the one thing that this state asks for. `seen` is a look taken since the last change, or None."""
    if record.phase == "done":
        return actions.Remove() if record.desired == "delete" and not record.cleaned else actions.Done()
    if record.phase == "queued":
        if record.leftovers:
            return actions.Remove()
        return actions.Wait(record.retry_at) if record.retry_at and now < record.retry_at else actions.Admit()
    if record.phase == "pulling" and record.image_id is None:
        return actions.Pull()
    if record.worker_id is None and not record.worker_over and not stopping(record):
        return actions.Create()
    if record.phase == "inputs":
        return _next_in_inputs(record, seen, now)
    if record.collecting:
        return actions.CollectOutputs()
    if record.phase == "outputs":
        return _next_in_outputs(record, seen, now)
    return _next_in_running(record, seen, now)


def _next_in_inputs(record: Record, seen: Observation | None, now: datetime) -> actions.Action:
    if record.sidecar_intended_at is None and not stopping(record):
        return actions.StartSidecar()
    if record.unstarted == "sidecar" and not stopping(record):
        return actions.RemoveUnstarted("sidecar")
    if seen is None:
        return actions.Observe()
    if stopping(record):
        return _kill_sidecar(record, now)
    if is_mine(seen.sidecar, record, ContainerState.CREATED):
        return actions.Wait((record.sidecar_intended_at or now) + AMBIGUOUS_START)
    return actions.Wait(since_of(record, now) + INPUTS_LIMIT)


def _next_in_running(record: Record, seen: Observation | None, now: datetime) -> actions.Action:
    if record.worker_over:
        return actions.DrainLogs()
    if record.start_intended_at is None:
        return actions.StartWorker()
    if record.unstarted == "worker":
        return actions.RemoveUnstarted("worker")
    if seen is None:
        return actions.Observe()
    if is_mine(seen.worker, record, ContainerState.CREATED):
        return actions.Wait(record.start_intended_at + AMBIGUOUS_START)
    if record.desired == "run" and not record.timed_out:
        return actions.Wait(record.deadline)
    grace = timedelta(seconds=record.grace_s)
    if record.stop_sent_at is None:
        return actions.Signal("worker", kill=record.grace_s <= 0)
    if not record.kill_sent and now >= record.stop_sent_at + grace:
        return actions.Signal("worker", kill=True)
    return actions.Wait(None if record.kill_sent else record.stop_sent_at + grace)


def _next_in_outputs(record: Record, seen: Observation | None, now: datetime) -> actions.Action:
    if not stopping(record) and record.outputs_told_at is None:
        return actions.TellSidecar(succeeded=_succeeded(record))
    if seen is None:
        return actions.Observe()
    if stopping(record):
        return _kill_sidecar(record, now)
    if record.outputs_heard:
        return actions.Wait(since_of(record, now) + OUTPUTS_LIMIT)
    if record.outputs_told_at is None or now >= record.outputs_told_at + TELL_AGAIN:
        return actions.TellSidecar(succeeded=_succeeded(record))
    return actions.Wait(record.outputs_told_at + TELL_AGAIN)


def _kill_sidecar(record: Record, now: datetime) -> actions.Action:
    # A kill that was sent may have hit a sidecar that did not run yet: it is repeated, a second apart.
    return actions.Wait(now + TELL_AGAIN) if record.kill_sent else actions.Signal("sidecar", kill=True)


def stopping(record: Record) -> bool:
    """True where what runs is to be ended: by wish, or because a limit of the phase has passed."""
    if record.desired != "run":
        return True
    if record.phase == "outputs":
        return "*" in record.outputs_failed
    return record.phase == "inputs" and record.reason is not None


def _succeeded(record: Record) -> bool:
    return record.reason is None and record.exit_code == 0


def since_of(record: Record, now: datetime) -> datetime:
    """Returns when the record's phase began."""
    return record.phase_since or now


def is_mine(container: ContainerFacts | None, record: Record, state: ContainerState) -> bool:
    """True for a container of this attempt that is in this state."""
    return container is not None and container.attempt == record.attempt and container.state is state
