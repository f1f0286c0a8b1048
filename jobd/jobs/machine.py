"""The job's state machine: what a fact changes. Pure.

`step(record, fact)` gives the next record and the events that the change makes; the caller stores both in one commit.

    queued -> pulling -> [inputs] -> running -> [outputs] -> done
                 any of them ends early through `worker_never_ran` or `finish`

Owns which fact counts in which phase; what a look at the containers makes of a job is in `looks.py`, what the sidecar says in
`reports.py`, how a run is concluded in `outcome.py`. Must not know of the store, the engine's calls, HTTP or asyncio.
"""

from datetime import datetime, timedelta

from jobd.jobs import facts as f
from jobd.jobs.demand import INPUTS_LIMIT, OUTPUTS_LIMIT, since_of, stopping
from jobd.jobs.engine_errors import answered, erred
from jobd.jobs.looks import never_started, observed
from jobd.jobs.orchestrator import Created
from jobd.jobs.outcome import (
    Step,
    change,
    enter,
    finish,
    logs_drained,
    outputs_collected,
    outputs_failed,
    worker_never_ran,
)
from jobd.jobs.record import Record
from jobd.jobs.reports import reported, unread
from jobd.jobs.run_times import not_before
from jobd.jobs.texts import bounded
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


def step(record: Record, spec: JobSpec, fact: f.Fact, now: datetime) -> Step:
    """Returns what `fact` makes of `record`. A fact that no longer matters changes nothing."""
    if record.ended:
        return _after_end(record, fact, now)
    fact = bounded(record, fact)
    match fact:
        case f.Admitted() if record.phase == "queued":
            return Step(enter(record, "pulling", now, admitted_at=not_before(record, now)))
        case f.ImageReady(image) if record.phase == "pulling":
            return Step(change(record, image_id=image.id, image_digest=image.digest, image_user=image.user))
        case f.Prepared(created):
            return _prepared(record, spec, created, now)
        case f.SetupFailed(reason, message) if not record.worker_over:
            return worker_never_ran(record, spec, now, reason, message)
        case f.EngineErred():
            return erred(record, spec, fact, now)
        case f.EngineAnswered():
            return Step(answered(record, fact))
        case f.SidecarStarting() if record.phase == "inputs" and not stopping(record):
            return Step(
                change(record, sidecar_intended_at=now, sidecar_runs=record.sidecar_runs + 1, report_n=0)
            )
        case f.WorkerStarting() if record.phase == "running" and not record.worker_over:
            return Step(change(record, start_intended_at=now))
        case f.WorkerStartFailed(exit_code, message) if not record.worker_over:
            return worker_never_ran(record, spec, now, "start-failed", message, exit_code)
        case f.NeverStarted(role) if record.unstarted == role and not record.worker_over:
            return never_started(record, spec, fact, now)
        case f.OutputsCollected() if record.collecting:
            return outputs_collected(record, spec, fact, now)
        case f.Observed() if not record.collecting:
            return observed(record, spec, fact, now)
        case f.Reported():
            return reported(record, spec, fact, now)
        case f.ReportUnread():
            return unread(record, spec, fact)
        case f.OutputsTold() if record.phase == "outputs":
            return Step(change(record, outputs_told_at=now))
        case f.LogsDrained() if record.worker_over and not record.exit_announced:
            return logs_drained(record, spec, now)
        case f.StopSent(kill):
            return Step(
                change(record, stop_sent_at=record.stop_sent_at or now, kill_sent=record.kill_sent or kill)
            )
        case f.CancelWished():
            return _cancelled(record, spec, fact, now)
        case f.TimePassed():
            return _time_passed(record, now)
        case f.Measured(usage) if record.phase == "running":
            peak = max(usage.memory_peak_bytes, record.memory_peak_bytes or 0)
            return Step(change(record, cpu_s=usage.cpu_s, memory_peak_bytes=peak))
        case f.ClockMoved(boot, offset):
            return Step(_clock_moved(record, boot, offset))
        case f.Cleaned() if record.leftovers:
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


def _cancelled(record: Record, spec: JobSpec, wish: f.CancelWished, now: datetime) -> Step:
    wished = change(
        record,
        # A wish only ever grows: run, cancel, delete.
        desired="delete" if wish.delete or record.desired == "delete" else "cancel",
        cancelled_by=record.cancelled_by or wish.by,
        cancel_why=record.cancel_why or wish.why,
        stop_signal=wish.signal,
        grace_s=min(wish.grace_s, record.grace_s) if record.desired != "run" else wish.grace_s,
    )
    not_started = record.phase == "running" and record.start_intended_at is None
    if not record.worker_over and (record.phase in ("queued", "pulling") or not_started):
        return worker_never_ran(wished, spec, now, "cancelled", "")
    if record.collecting:
        return finish(wished, spec, now)
    return Step(wished)


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


def _after_end(record: Record, fact: f.Fact, now: datetime) -> Step:
    match fact:
        case f.CancelWished(delete=True):
            return Step(change(record, desired="delete"))
        case f.Cleaned():
            at = record.cleaned_at or not_before(record, now)
            return Step(change(record, cleaned=True, cleaned_at=at, has_spool=False))
        case _:
            return Step(record)
