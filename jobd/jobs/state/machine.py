"""The job's state machine: what a fact changes. Pure.

`step(record, fact)` gives the next record and the events that the change makes; the caller stores both in one commit.

    queued -> pulling -> [inputs] -> running -> [outputs] -> done
                 any of them ends early through `worker_never_ran` or `finish`

Owns which fact counts in which phase; what a look at the containers makes of a job is in `on_observed.py`, what the sidecar says in
`on_reported.py`, how a run is concluded in `outcome.py`. Must not know of the store, the engine's calls, HTTP or asyncio.
"""

from datetime import datetime, timedelta

from jobd.jobs.port.model import Created
from jobd.jobs.state import facts
from jobd.jobs.state.engine_errors import answered, erred
from jobd.jobs.state.next_action import INPUTS_LIMIT, OUTPUTS_LIMIT, since_of, stopping
from jobd.jobs.state.on_observed import never_started, observed
from jobd.jobs.state.on_reported import reported, unread
from jobd.jobs.state.outcome import (
    Step,
    change,
    enter,
    finish,
    logs_drained,
    outputs_collected,
    outputs_failed,
    worker_never_ran,
)
from jobd.jobs.state.record import Record
from jobd.jobs.state.run_times import not_before
from jobd.jobs.state.text_limits import bounded
from jobd.wire.job import JobSpec

AWAITED = (
    "phase_since",
    "stop_sent_at",
    "sidecar_intended_at",
    "start_intended_at",
    "deadline",
    "outputs_told_at",
    "retry_at",
)
"""The times that something is measured from or waited for; the others are for people to read."""


def step(record: Record, spec: JobSpec, fact: facts.Fact, now: datetime) -> Step:
    """Returns what `fact` makes of `record`. A fact that no longer matters changes nothing."""
    if record.ended:
        return _after_end(record, fact, now)
    fact = bounded(record, fact)
    match fact:
        case facts.Admitted() if record.phase == "queued":
            return Step(enter(record, "pulling", now, admitted_at=not_before(record, now)))
        case facts.ImageReady(image) if record.phase == "pulling":
            return Step(change(record, image_id=image.id, image_digest=image.digest, image_user=image.user))
        case facts.Prepared(created):
            return _prepared(record, spec, created, now)
        case facts.SetupFailed(reason, message) if not record.worker_over:
            return worker_never_ran(record, spec, now, reason, message)
        case facts.EngineErred():
            return erred(record, spec, fact, now)
        case facts.EngineAnswered():
            return Step(answered(record, fact))
        case facts.SidecarStarting() if record.phase == "inputs" and not stopping(record):
            return Step(
                change(record, sidecar_intended_at=now, sidecar_runs=record.sidecar_runs + 1, report_n=0)
            )
        case facts.WorkerStarting() if record.phase == "running" and not record.worker_over:
            return Step(change(record, start_intended_at=now))
        case facts.WorkerStartFailed(exit_code, message) if not record.worker_over:
            return worker_never_ran(record, spec, now, "start-failed", message, exit_code)
        case facts.NeverStarted(role) if record.unstarted == role and not record.worker_over:
            return never_started(record, spec, fact, now)
        case facts.OutputsCollected() if record.collecting:
            return outputs_collected(record, spec, fact, now)
        case facts.Observed() if not record.collecting:
            return observed(record, spec, fact, now)
        case facts.Reported():
            return reported(record, spec, fact, now)
        case facts.ReportUnread():
            return unread(record, spec, fact)
        case facts.OutputsTold() if record.phase == "outputs":
            return Step(change(record, outputs_told_at=now))
        case facts.LogsDrained() if record.worker_over and not record.exit_announced:
            return logs_drained(record, spec, now)
        case facts.StopSent(kill):
            return Step(
                change(record, stop_sent_at=record.stop_sent_at or now, kill_sent=record.kill_sent or kill)
            )
        case facts.CancelRequested():
            return _cancelled(record, spec, fact, now)
        case facts.TimePassed():
            return _time_passed(record, now)
        case facts.Measured(usage) if record.phase == "running":
            peak = max(usage.memory_peak_bytes, record.memory_peak_bytes or 0)
            return Step(change(record, cpu_s=usage.cpu_s, memory_peak_bytes=peak))
        case facts.ClockMoved(boot, offset):
            return Step(_clock_moved(record, boot, offset))
        case facts.Cleaned() if record.leftovers:
            return Step(change(record, leftovers=False))
        case _:
            return Step(record)


def _prepared(record: Record, spec: JobSpec, created: Created, now: datetime) -> Step:
    kept = change(
        record,
        worker_id=created.worker_id,
        sidecar_id=created.sidecar_id,
        worker_uid=created.worker_uid,
        worker_gid=created.worker_gid,
    )
    if record.phase != "pulling":
        return Step(kept)
    return Step(enter(kept, "inputs" if spec.needs_sidecar else "running", now))


def _cancelled(record: Record, spec: JobSpec, request: facts.CancelRequested, now: datetime) -> Step:
    requested = change(
        record,
        # A wish only ever grows: run, cancel, delete.
        desired="delete" if request.delete or record.desired == "delete" else "cancel",
        cancelled_by=record.cancelled_by or request.by,
        cancel_why=record.cancel_why or request.why,
        stop_signal=request.signal,
        grace_s=min(request.grace_s, record.grace_s) if record.desired != "run" else request.grace_s,
    )
    not_started = record.phase == "running" and record.start_intended_at is None
    if not record.worker_over and (record.phase in ("queued", "pulling") or not_started):
        return worker_never_ran(requested, spec, now, "cancelled", "")
    if record.collecting:
        return finish(requested, spec, now)
    return Step(requested)


def _time_passed(record: Record, now: datetime) -> Step:
    if record.phase == "running" and record.deadline and now >= record.deadline and not record.worker_over:
        return Step(change(record, timed_out=True))
    since = since_of(record, now)
    if record.phase == "inputs" and record.reason is None and now >= since + INPUTS_LIMIT:
        return Step(change(record, reason="input-failed", error="inputs took longer than an hour"))
    if (
        record.phase == "outputs"
        and not record.kill_sent
        and not record.collecting
        and now >= since + OUTPUTS_LIMIT
    ):
        return Step(change(outputs_failed(record, "outputs took longer than an hour"), outputs_failed=["*"]))
    return Step(record)


def _clock_moved(record: Record, boot: str, offset: float) -> Record:
    """Returns the record with what is waited for moved along with the clock, so that a limit stays as long as it was."""
    if boot != record.boot:
        return change(record, boot=boot, clock_offset=offset)
    moved_by = timedelta(seconds=offset - record.clock_offset)
    moved = {name: at + moved_by for name in AWAITED if (at := getattr(record, name)) is not None}
    return change(record, clock_offset=offset, **moved)


def _after_end(record: Record, fact: facts.Fact, now: datetime) -> Step:
    match fact:
        case facts.CancelRequested(delete=True):
            return Step(change(record, desired="delete"))
        case facts.Cleaned():
            at = record.cleaned_at or not_before(record, now)
            return Step(change(record, cleaned=True, cleaned_at=at, has_spool=False))
        case _:
            return Step(record)
