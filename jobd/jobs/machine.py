"""The job's state machine: what a fact changes. Pure.

`step(record, fact)` gives the next record and the events that the change makes; the caller stores both in one commit.

    queued -> pulling -> [inputs] -> running -> [outputs] -> done
                 any of them ends early through `worker_never_ran` or `finish`

Must not know of the store, the engine's calls, HTTP or asyncio.
"""

from datetime import datetime, timedelta

import msgspec

from jobd.jobs import facts as f
from jobd.jobs.demand import AMBIGUOUS_START, INPUTS_LIMIT, OUTPUTS_LIMIT, is_mine, since_of, stopping
from jobd.jobs.orchestrator import ContainerFacts, Created
from jobd.jobs.outcome import (
    Step,
    change,
    data_of,
    enter,
    finish,
    logs_drained,
    outputs_failed,
    worker_never_ran,
    worker_over,
)
from jobd.jobs.record import ArtifactState, Record, artifact_type, has_outputs
from jobd.wire import event, report
from jobd.wire.job import JobSpec

MAX_SIDECAR_RUNS = 3
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
        return _after_end(record, fact)
    match fact:
        case f.Admitted() if record.phase == "queued":
            return Step(enter(record, "pulling", now, admitted_at=now))
        case f.ImageReady(image) if record.phase == "pulling":
            return Step(change(record, image_id=image.id, image_digest=image.digest, image_user=image.user))
        case f.Prepared(created):
            return _prepared(record, spec, created, now)
        case f.SetupFailed(reason, message) if not record.worker_over:
            return worker_never_ran(record, spec, now, reason, message)
        case f.SidecarStarting() if record.phase == "inputs" and not stopping(record):
            return Step(
                change(record, sidecar_intended_at=now, sidecar_runs=record.sidecar_runs + 1, report_n=0)
            )
        case f.WorkerStarting() if record.phase == "running" and not record.worker_over:
            return Step(change(record, start_intended_at=now))
        case f.WorkerStartFailed(exit_code, message) if not record.worker_over:
            return worker_never_ran(record, spec, now, "start-failed", message, exit_code)
        case f.Observed():
            return _observed(record, spec, fact, now)
        case f.Reported(said):
            return _reported(record, spec, said, now)
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


def _observed(record: Record, spec: JobSpec, fact: f.Observed, now: datetime) -> Step:
    seen, drained = fact.observation, fact.reports_drained
    if record.phase == "inputs":
        return _observed_inputs(record, spec, seen.sidecar, drained, fact.engine_stopped, now)
    if record.phase == "running":
        return _observed_worker(record, spec, seen.worker, fact.engine_stopped, now)
    if record.phase == "outputs":
        return _observed_outputs(record, spec, seen.sidecar, drained, now)
    return Step(record)


def _observed_inputs(
    record: Record,
    spec: JobSpec,
    sidecar: ContainerFacts | None,
    drained: bool,
    engine_stopped: bool,
    now: datetime,
) -> Step:
    alive = is_mine(sidecar, record, "running")
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
    if sidecar.state == "created":
        if now >= record.sidecar_intended_at + AMBIGUOUS_START:
            return _sidecar_again(change(record, sidecar_runs=record.sidecar_runs - 1), spec, now, "")
        return Step(record)
    if drained and sidecar.ended:
        if engine_stopped:
            record = change(record, sidecar_runs=record.sidecar_runs - 1)  # not its own doing
        return _sidecar_again(
            record, spec, now, f"the sidecar ended with code {sidecar.exit_code} before inputs were ready"
        )
    return Step(record)


def _sidecar_again(record: Record, spec: JobSpec, now: datetime, why: str) -> Step:
    if record.sidecar_runs >= MAX_SIDECAR_RUNS:
        return worker_never_ran(record, spec, now, "input-failed", why)
    return Step(change(record, worker_id=None, sidecar_id=None, sidecar_intended_at=None, report_n=0))


def _observed_worker(
    record: Record, spec: JobSpec, worker: ContainerFacts | None, engine_stopped: bool, now: datetime
) -> Step:
    if record.worker_over or record.start_intended_at is None:
        return Step(record)
    if worker is None or worker.attempt != record.attempt:
        return worker_over(
            record, spec, None, now, reason="lost", error="the worker container was removed by someone else"
        )
    if worker.started_at is None:
        if worker.exit_code and worker.error and not engine_stopped:
            return worker_never_ran(record, spec, now, "start-failed", worker.error, worker.exit_code)
        if worker.state == "created" and (
            engine_stopped or now >= record.start_intended_at + AMBIGUOUS_START
        ):
            if stopping(record):
                return worker_never_ran(record, spec, now, "cancelled", "")
            return Step(change(record, worker_id=None, start_intended_at=None))
        return Step(record)
    started = _started(record, spec, worker.started_at, now)
    if not worker.ended:
        return started
    if engine_stopped and record.desired == "run" and not record.timed_out:
        why = "the engine was stopped or killed while the worker ran"
        return started.then(worker_over(started.record, spec, None, now, reason="lost", error=why))
    return started.then(worker_over(started.record, spec, worker, now))


def _started(record: Record, spec: JobSpec, at: datetime, now: datetime) -> Step:
    if record.started_at is not None:
        return Step(record)
    # The engine's clock may be another machine's: by ours, the start lies between its wish and this moment.
    began = min(max(at, record.start_intended_at or at), now)
    deadline = began + timedelta(seconds=spec.timeout_s)
    drafts = () if record.start_announced else (f.Draft(event.START, data_of(record, spec)),)
    return Step(
        change(record, status="running", started_at=at, deadline=deadline, start_announced=True), drafts
    )


def _observed_outputs(
    record: Record, spec: JobSpec, sidecar: ContainerFacts | None, drained: bool, now: datetime
) -> Step:
    if is_mine(sidecar, record, "running"):
        return Step(change(record, kill_sent=False)) if record.kill_sent else Step(record)
    if stopping(record):
        return finish(record, spec, now)
    if sidecar is not None and sidecar.attempt == record.attempt and not drained:
        return Step(record)
    if not has_outputs(spec):
        return finish(record, spec, now)  # it was there for the secrets alone
    code = "was removed" if sidecar is None else f"ended with code {sidecar.exit_code}"
    return finish(outputs_failed(record, f"the sidecar {code} before outputs were done"), spec, now)


def _reported(record: Record, spec: JobSpec, said: report.Report, now: datetime) -> Step:
    if said.n <= record.report_n or record.sidecar_intended_at is None:
        return Step(record)
    record = change(record, report_n=said.n)
    match said:
        case report.Refused(error=error) if record.phase == "inputs":
            return _sidecar_again(record, spec, now, f"the sidecar refused its order: {error}")
        case report.Progress() | report.ArtifactDone():
            return _artifact(record, spec, said)
        case report.Ready() if record.phase == "inputs" and not stopping(record):
            return Step(enter(record, "running", now, inputs_ready=True))
        case report.InputsFailed(error=error) if record.phase == "inputs" and not stopping(record):
            return worker_never_ran(record, spec, now, "input-failed", error)
        case report.OutputsStarted():
            return Step(change(record, outputs_heard=True))
        case report.Done(failed=failed) if record.phase == "outputs" and not stopping(record):
            if failed:
                names = ", ".join(failed)
                record = outputs_failed(change(record, outputs_failed=failed), f"outputs failed: {names}")
            return finish(record, spec, now)
        case _:
            return Step(record)


def _artifact(record: Record, spec: JobSpec, said: report.Progress | report.ArtifactDone) -> Step:
    known = record.artifacts.get(said.artifact_id)
    if known is None or known.status != "pending":
        return Step(record)
    if isinstance(said, report.Progress):
        after = msgspec.structs.replace(known, moved=said.bytes, bytes=said.total)
        return Step(_with_artifact(record, said.artifact_id, after))
    after = ArtifactState(status=said.status, error=said.error, bytes=said.bytes, optional=said.optional)
    changed = _with_artifact(record, said.artifact_id, after)
    if said.status == "skipped":
        return Step(changed)
    data = {
        "jobId": record.id,
        "artifactId": said.artifact_id,
        "artifactType": artifact_type(spec, said.artifact_id),
        "status": said.status,
    }
    if said.content is not None:
        data["content"] = said.content
    if said.error is not None:
        data["error"] = said.error
    key = report.artifact_event_key(said.artifact_id, record.attempt)
    return Step(changed, (f.Draft(event.ARTIFACT, {**data, "meta": spec.meta}, key, said.sent),))


def _cancelled(record: Record, spec: JobSpec, wish: f.CancelWished, now: datetime) -> Step:
    wished = change(
        record,
        desired="delete" if wish.delete else "cancel",
        cancelled_by=record.cancelled_by or wish.by,
        cancel_why=record.cancel_why or wish.why,
        stop_signal=wish.signal,
        grace_s=min(wish.grace_s, record.grace_s) if record.desired != "run" else wish.grace_s,
    )
    not_started = record.phase == "running" and record.start_intended_at is None
    if not record.worker_over and (record.phase in ("queued", "pulling") or not_started):
        return worker_never_ran(wished, spec, now, "cancelled", "")
    return Step(wished)


def _time_passed(record: Record, now: datetime) -> Step:
    if record.phase == "running" and record.deadline and now >= record.deadline and not record.worker_over:
        return Step(change(record, timed_out=True))
    since = since_of(record, now)
    if record.phase == "inputs" and record.reason is None and now >= since + INPUTS_LIMIT:
        return Step(change(record, reason="input-failed", error="inputs took longer than an hour"))
    if record.phase == "outputs" and not record.kill_sent and now >= since + OUTPUTS_LIMIT:
        return Step(change(outputs_failed(record, "outputs took longer than an hour"), outputs_failed=["*"]))
    return Step(record)


def _clock_moved(record: Record, boot: str, offset: float) -> Record:
    """Returns the record with what is waited for moved along with the clock, so that a limit stays as long as it was."""
    if boot != record.boot:
        return change(record, boot=boot, clock_offset=offset)
    moved_by = timedelta(seconds=offset - record.clock_offset)
    moved = {name: at + moved_by for name in AWAITED if (at := getattr(record, name)) is not None}
    return change(record, clock_offset=offset, **moved)


def _after_end(record: Record, fact: f.Fact) -> Step:
    match fact:
        case f.CancelWished(delete=True):
            return Step(change(record, desired="delete"))
        case f.Cleaned():
            return Step(change(record, cleaned=True, has_spool=False))
        case _:
            return Step(record)


def _with_artifact(record: Record, artifact_id: str, state: ArtifactState) -> Record:
    return change(record, artifacts={**record.artifacts, artifact_id: state})
