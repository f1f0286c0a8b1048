"""What a look at a job's containers changes, phase by phase. Pure.

Owns how a container's state, or its absence, is read: as a start, an end, a loss, or a reason to look again later. What the sidecar
says of itself is in `on_reported.py`.
"""

from datetime import datetime, timedelta

from jobd.jobs.port.model import ContainerFacts, ContainerState, EndCause
from jobd.jobs.state import event_drafts, facts, run_times
from jobd.jobs.state.next_action import AMBIGUOUS_START, is_mine, stopping
from jobd.jobs.state.outcome import (
    Step,
    change,
    data_of,
    finish,
    outputs_failed,
    sidecar_again,
    worker_never_ran,
    worker_over,
)
from jobd.jobs.state.record import Record, has_outputs
from jobd.wire import event
from jobd.wire.job import JobSpec

_LOST = {
    EndCause.ENGINE_STOPPED: "the engine was stopped or killed while the worker ran",
    EndCause.EVICTED: "the engine evicted the worker while it ran",
    EndCause.NODE_LOST: "the machine that the worker ran on was lost",
    EndCause.UNKNOWN: "the engine does not tell how the worker ended",
}
"""Causes after which the exit code says nothing of the job's command, and why the job is lost then."""


def observed(record: Record, spec: JobSpec, fact: facts.Observed, now: datetime) -> Step:
    """Returns what a look makes of a job that is not over."""
    seen, drained = fact.observation, fact.reports_drained
    if record.phase == "inputs":
        return _inputs(record, spec, seen.sidecar, drained, now)
    if record.phase == "running":
        return _worker(record, spec, seen.worker, now)
    if record.phase == "outputs":
        return _outputs(record, spec, seen.sidecar, drained, now)
    return Step(record)


def _inputs(
    record: Record, spec: JobSpec, sidecar: ContainerFacts | None, drained: bool, now: datetime
) -> Step:
    alive = is_mine(sidecar, record, ContainerState.RUNNING)
    if sidecar is not None and sidecar.started_at is not None:
        record = change(record, unstarted=None)
    if stopping(record):
        if alive:
            # Not dead yet: the kill may have come too early, it is sent again.
            return Step(change(record, kill_sent=False)) if record.kill_sent else Step(record)
        return worker_never_ran(record, spec, now, record.reason or "cancelled", record.error or "cancelled")
    if alive or record.sidecar_intended_at is None:
        return Step(record)
    if sidecar is None or sidecar.attempt != record.attempt:
        return worker_never_ran(
            record, spec, now, "lost", "the sidecar container was removed while inputs were loaded"
        )
    if sidecar.state is ContainerState.CREATED:
        if now >= record.sidecar_intended_at + AMBIGUOUS_START:
            return Step(change(record, unstarted="sidecar"))
        return Step(record)
    if drained and sidecar.ended:
        if sidecar.cause is EndCause.ENGINE_STOPPED:
            record = change(record, sidecar_runs=record.sidecar_runs - 1)  # not its own doing
        return sidecar_again(
            record, spec, now, f"the sidecar ended with code {sidecar.exit_code} before inputs were ready"
        )
    return Step(record)


def _worker(record: Record, spec: JobSpec, worker: ContainerFacts | None, now: datetime) -> Step:
    if record.worker_over or record.start_intended_at is None:
        return Step(record)
    if worker is None or worker.attempt != record.attempt:
        why = "the worker container was removed by someone else"
        if record.unstarted == "worker":
            why = "the worker container is gone, and the engine does not tell whether it ran"
        return worker_over(record, spec, None, now, reason="lost", error=why)
    if worker.started_at is None:
        if worker.exit_code and worker.error and not worker.start_may_pass:
            return worker_never_ran(record, spec, now, "start-failed", worker.error, worker.exit_code)
        late = now >= record.start_intended_at + AMBIGUOUS_START
        if worker.state is ContainerState.CREATED and (worker.start_may_pass or late):
            return Step(change(record, unstarted="worker"))
        return Step(record)
    started = _started(record, spec, worker.started_at, now)
    if not worker.ended:
        return started
    ordered = record.desired != "run" or record.timed_out
    lost = None if worker.cause is None or ordered else _LOST.get(worker.cause)
    if lost is not None:
        return started.then(worker_over(started.record, spec, None, now, reason="lost", error=lost))
    if worker.cause is EndCause.DEADLINE and not ordered:
        started = Step(change(started.record, timed_out=True), started.drafts)
    return started.then(worker_over(started.record, spec, worker, now))


def never_started(record: Record, spec: JobSpec, fact: facts.NeverStarted, now: datetime) -> Step:
    """Returns what becomes of a job whose container was removed before it ran: it is made anew, unless the job is to end."""
    record = change(record, unstarted=None)
    if fact.role == "worker":
        if stopping(record):
            return worker_never_ran(record, spec, now, "cancelled", "")
        return Step(change(record, worker_id=None, start_intended_at=None))
    if stopping(record):
        return Step(record)
    return sidecar_again(change(record, sidecar_runs=record.sidecar_runs - 1), spec, now, "")


def _started(record: Record, spec: JobSpec, at: datetime, now: datetime) -> Step:
    if record.started_at is not None:
        return Step(record)
    began = run_times.began(record, at, now)
    deadline = began + timedelta(seconds=spec.timeout_s)
    drafts = () if record.start_announced else (event_drafts.Draft(event.START, data_of(record, spec)),)
    return Step(
        change(
            record,
            status="running",
            unstarted=None,
            started_at=run_times.not_before(record, began),
            deadline=deadline,
            start_announced=True,
        ),
        drafts,
    )


def _outputs(
    record: Record, spec: JobSpec, sidecar: ContainerFacts | None, drained: bool, now: datetime
) -> Step:
    if is_mine(sidecar, record, ContainerState.RUNNING):
        return Step(change(record, kill_sent=False)) if record.kill_sent else Step(record)
    if stopping(record):
        return finish(record, spec, now)
    if sidecar is not None and sidecar.state is ContainerState.CREATED:
        sidecar = (
            None  # the one that ran was removed, and this one was made with a worker that had to be made anew
        )
    if sidecar is not None and sidecar.attempt == record.attempt and not drained:
        return Step(record)
    if not has_outputs(spec):
        return finish(record, spec, now)  # it was there for the secrets alone
    code = "was removed" if sidecar is None else f"ended with code {sidecar.exit_code}"
    return finish(outputs_failed(record, f"the sidecar {code} before outputs were done"), spec, now)
