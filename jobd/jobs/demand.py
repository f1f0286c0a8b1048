"""What a job's state asks for next. Pure.

`demand(record, seen)` looks at a state, never at how it came about, and names the one thing to do: boot, reconnect to the
engine and normal running are therefore the same code.
"""

from datetime import datetime, timedelta

from jobd.jobs import facts as f
from jobd.jobs.orchestrator import ContainerFacts, Observation
from jobd.jobs.record import Record

INPUTS_LIMIT = timedelta(hours=1)
OUTPUTS_LIMIT = timedelta(hours=1)
AMBIGUOUS_START = timedelta(seconds=10)
"""A container that is still `created` this long after its start was asked for is removed, unless it runs by then, and made anew."""
TELL_AGAIN = timedelta(seconds=1)


def demand(record: Record, seen: Observation | None, now: datetime) -> f.Demand:
    """Returns the one thing that this state asks for. `seen` is a look taken since the last change, or None."""
    if record.phase == "done":
        return f.Remove() if record.desired == "delete" and not record.cleaned else f.Retire()
    if record.phase == "queued":
        if record.leftovers:
            return f.Remove()
        return f.Wait(record.retry_at) if record.retry_at and now < record.retry_at else f.Admit()
    if record.phase == "pulling" and record.image_id is None:
        return f.Pull()
    if record.worker_id is None and not record.worker_over and not stopping(record):
        return f.Create()
    if record.phase == "inputs":
        return _demand_inputs(record, seen, now)
    if record.collecting:
        return f.CollectOutputs()
    if record.phase == "outputs":
        return _demand_outputs(record, seen, now)
    return _demand_running(record, seen, now)


def _demand_inputs(record: Record, seen: Observation | None, now: datetime) -> f.Demand:
    if record.sidecar_intended_at is None and not stopping(record):
        return f.StartSidecar()
    if record.unstarted == "sidecar" and not stopping(record):
        return f.RemoveUnstarted("sidecar")
    if seen is None:
        return f.Observe()
    if stopping(record):
        return _kill_sidecar(record, now)
    if is_mine(seen.sidecar, record, "created"):
        return f.Wait((record.sidecar_intended_at or now) + AMBIGUOUS_START)
    return f.Wait(since_of(record, now) + INPUTS_LIMIT)


def _demand_running(record: Record, seen: Observation | None, now: datetime) -> f.Demand:
    if record.worker_over:
        return f.DrainLogs()
    if record.start_intended_at is None:
        return f.StartWorker()
    if record.unstarted == "worker":
        return f.RemoveUnstarted("worker")
    if seen is None:
        return f.Observe()
    if is_mine(seen.worker, record, "created"):
        return f.Wait(record.start_intended_at + AMBIGUOUS_START)
    if record.desired == "run" and not record.timed_out:
        return f.Wait(record.deadline)
    grace = timedelta(seconds=record.grace_s)
    if record.stop_sent_at is None:
        return f.Signal("worker", kill=record.grace_s <= 0)
    if not record.kill_sent and now >= record.stop_sent_at + grace:
        return f.Signal("worker", kill=True)
    return f.Wait(None if record.kill_sent else record.stop_sent_at + grace)


def _demand_outputs(record: Record, seen: Observation | None, now: datetime) -> f.Demand:
    if not stopping(record) and record.outputs_told_at is None:
        return f.TellSidecar(succeeded=_succeeded(record))
    if seen is None:
        return f.Observe()
    if stopping(record):
        return _kill_sidecar(record, now)
    if record.outputs_heard:
        return f.Wait(since_of(record, now) + OUTPUTS_LIMIT)
    if record.outputs_told_at is None or now >= record.outputs_told_at + TELL_AGAIN:
        return f.TellSidecar(succeeded=_succeeded(record))
    return f.Wait(record.outputs_told_at + TELL_AGAIN)


def _kill_sidecar(record: Record, now: datetime) -> f.Demand:
    # A kill that was sent may have hit a sidecar that did not run yet: it is repeated, a second apart.
    return f.Wait(now + TELL_AGAIN) if record.kill_sent else f.Signal("sidecar", kill=True)


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


def is_mine(container: ContainerFacts | None, record: Record, state: str) -> bool:
    """True for a container of this attempt that is in the state of this name."""
    return container is not None and container.attempt == record.attempt and container.state == state
