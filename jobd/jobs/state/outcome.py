"""How a job's run is concluded: the worker's end, the exit event, the final status. Pure.

Owns `Step`, what ends a job and in which order that is announced: exit, then outputs, then `complete` as the last.
Which facts lead here is in `machine.py`, `on_observed.py` and `on_reported.py`.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import msgspec

from jobd.jobs.port.model import ContainerFacts, EndCause
from jobd.jobs.state import event_drafts, facts, run_times
from jobd.jobs.state.record import (
    ArtifactState,
    Record,
    artifact_type,
    event_exit_code,
    seconds_between,
    sidecar_waits,
)
from jobd.jobs.state.retry import is_repeated, repeated
from jobd.wire import event
from jobd.wire.job import JobSpec
from jobd.wire.view import Phase, Status

MAX_SIDECAR_RUNS = 3


@dataclass(frozen=True, slots=True)
class Step:
    """The outcome of one fact: the next record and the events to store with it, in order."""

    record: Record
    drafts: tuple[event_drafts.Draft, ...] = ()

    def then(self, later: "Step") -> "Step":
        """Returns both steps as one: the later record, all events."""
        return replace(later, drafts=self.drafts + later.drafts)


def worker_over(
    record: Record,
    spec: JobSpec,
    worker: ContainerFacts | None,
    now: datetime,
    reason: str | None = None,
    error: str | None = None,
) -> Step:
    """The worker has ended, or (None) is gone; its log is still to be read. Without a `reason`, finds the one that holds."""
    code = worker.exit_code if worker else None
    oom = worker is not None and worker.cause is EndCause.OUT_OF_MEMORY
    if reason is None and record.desired == "run":
        if record.timed_out:
            reason, error = "timeout", f"stopped after {spec.timeout_s} seconds (timeoutSeconds)"
        elif oom:
            reason, error = "oom-killed", f"killed by the kernel: over {spec.memory_mb} MB of memory"
        elif code != 0:
            reason, error = "exit-code", f"the command exited with code {code}"
    elif record.desired != "run":
        reason, error = "cancelled", _cancelled_words(record)
    return Step(
        change(
            record,
            worker_over=True,
            exit_code=code,
            oom_killed=oom,
            exited_at=run_times.exited(record, worker, now),
            reason=reason,
            error=error,
        )
    )


def _cancelled_words(record: Record) -> str:
    words = f"cancelled by {record.cancelled_by or 'a user'}"
    return f"{words}: {record.cancel_why}" if record.cancel_why else words


def logs_drained(record: Record, spec: JobSpec, now: datetime) -> Step:
    """The ended worker's log is complete: announces its exit and goes on to the outputs or the end."""
    if is_repeated(record, spec):
        return _again(record, spec, now)
    announced = change(record, exit_announced=True)
    return Step(announced, (_exit(announced, spec),)).then(after_worker(announced, spec, now))


def _exit(record: Record, spec: JobSpec) -> event_drafts.Draft:
    """Returns the exit event: its code is the one that `complete` and the job's view tell."""
    data = data_of(record, spec, exitCode=event_exit_code(record.exit_code), error=record.error)
    return event_drafts.Draft(event.EXIT, data)


def worker_never_ran(
    record: Record, spec: JobSpec, now: datetime, reason: str, error: str, exit_code: int | None = None
) -> Step:
    """The worker will not run (any more): announces that and goes on; a wish to cancel outranks the reason given. `exit_code`: the
    engine's, where it tried to start the worker.
    """
    if record.desired != "run":
        reason, error = "cancelled", _cancelled_words(record)
    over = change(
        record, worker_over=True, exit_announced=True, exit_code=exit_code, reason=reason, error=error
    )
    if is_repeated(over, spec):
        return _again(over, spec, now)
    first = Step(over, (_exit(over, spec),))
    if record.phase == "running":
        return first.then(after_worker(over, spec, now))
    return first.then(finish(over, spec, now))


def _again(record: Record, spec: JobSpec, now: datetime) -> Step:
    following, draft = repeated(record, spec, now)
    return Step(following, (draft,))


def after_worker(record: Record, spec: JobSpec, now: datetime) -> Step:
    """Goes on to the outputs where a sidecar waits for that, else to the end."""
    if record.inputs_ready and sidecar_waits(spec):
        return Step(enter(record, "outputs", now, stop_sent_at=None, kill_sent=False))
    return finish(record, spec, now)


def finish(record: Record, spec: JobSpec, now: datetime) -> Step:
    """Gives the job its final status and announces it; the last event of any job. Before that, outputs that the client fetches are
    looked for: `completed` says that they are there.
    """
    if record.unread_report is not None and record.desired == "run":
        record = outputs_failed(record, record.unread_report)
    if spec.outputs and not record.collected and record.desired == "run" and record.reason is None:
        return Step(enter(record, "outputs", now, collecting=True))
    record = change(record, collecting=False)
    status: Status = "failed" if record.reason else "completed"
    reason = record.reason
    if record.desired != "run":
        status, reason = "cancelled", "cancelled"
    # What was not reported by now was not tried and will not be.
    skipped = ArtifactState(status="skipped")
    states = {
        name: skipped if state.status == "pending" else state for name, state in record.artifacts.items()
    }
    artifacts = [
        {"id": a.id, "type": artifact_type(spec, a.id), "status": states[a.id].status}
        for a in spec.artifacts
        if a.id in states
    ]
    finished_at = run_times.not_before(record, now)
    ended = enter(
        record, "done", now, status=status, reason=reason, finished_at=finished_at, artifacts=states
    )
    data = data_of(
        record,
        spec,
        status=status,
        exitCode=event_exit_code(record.exit_code),
        error=record.error,
    )
    data |= {"reason": reason, "artifacts": artifacts, "durations": durations(ended)}
    return Step(ended, (event_drafts.Draft(event.COMPLETE, data),))


def outputs_collected(record: Record, spec: JobSpec, fact: facts.OutputsCollected, now: datetime) -> Step:
    """Returns the end of a job whose outputs were looked for."""
    looked = change(record, collected=True, outputs=dict(fact.outputs))
    if fact.reason is not None:
        looked = change(looked, reason=fact.reason, error=fact.error)
    return finish(looked, spec, now)


def durations(record: Record) -> dict[str, float]:
    """Returns the seconds that the job spent queued, preparing, running, finishing, and in all, as far as known."""
    spans = {
        "queued": (record.created_at, record.admitted_at),
        "preparing": (record.admitted_at, record.started_at),
        "running": (record.started_at, record.exited_at),
        "finishing": (record.exited_at, record.finished_at),
        "total": (record.created_at, record.finished_at),
    }
    return {name: s for name, (a, b) in spans.items() if (s := seconds_between(a, b)) is not None}


def sidecar_again(record: Record, spec: JobSpec, now: datetime, why: str) -> Step:
    """The sidecar has ended before the inputs were ready: it is made anew, or, after a few, that fails the job."""
    if record.sidecar_runs >= MAX_SIDECAR_RUNS:
        return worker_never_ran(record, spec, now, "input-failed", why)
    return Step(
        change(record, worker_id=None, sidecar_id=None, sidecar_intended_at=None, unstarted=None, report_n=0)
    )


def outputs_failed(record: Record, error: str) -> Record:
    """Returns the record of a job whose outputs are not where they belong."""
    # The worker's own failure, where there is one, stays the reason; the outputs' is what makes a good run fail.
    if record.unread_report is not None and record.unread_report != error:
        error = f"{error}; {record.unread_report}"
    return record if record.reason else change(record, reason="output-failed", error=error)


def change(record: Record, **fields: Any) -> Record:
    """Returns the record with these fields."""
    return msgspec.structs.replace(record, **fields)


def enter(record: Record, phase: Phase, now: datetime, **fields: Any) -> Record:
    """Returns the record in the next phase."""
    return change(record, phase=phase, phase_since=now, **fields)


def data_of(record: Record, spec: JobSpec, **more: Any) -> dict[str, Any]:
    """Returns an event's data: the job's id, what is known of `more`, the job's meta."""
    return {"jobId": record.id, **{k: v for k, v in more.items() if v is not None}, "meta": spec.meta}
