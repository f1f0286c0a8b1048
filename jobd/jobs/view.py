"""A job's view for clients, built from its record. Pure.

Owns the text that says what a job waits for; `wire/views/job.py` has the models.
"""

from datetime import datetime, timedelta

from jobd.jobs.admission.scheduling.waits import Wait, WaitReason, sentence
from jobd.jobs.port.model import ImagePull, Progress
from jobd.jobs.record.parts import ArtifactState, FailedAttempt, OutputState, Started
from jobd.jobs.record.record import Record
from jobd.jobs.record.scheduling import Awaited
from jobd.jobs.record.states import Queued
from jobd.wire.artifact import Artifact, JobFiles, kind_of
from jobd.wire.event import rfc3339
from jobd.wire.job import JobSpec
from jobd.wire.views.job import (
    ArtifactView,
    AttemptView,
    DependencyView,
    JobView,
    LimitsView,
    OutputView,
    PullView,
    UsageView,
)

MAX_NAMED = 3
_WAITING = {
    "pulling": "the image and the containers",
    "inputs": "its inputs",
    "running": "the command to end",
    "outputs": "its outputs",
}


def view_of(
    record: Record,
    spec: JobSpec,
    *,
    queue_position: int | None,
    progress: Progress | None,
    retention_s: float,
    wait: Wait | None = None,
    pause: Wait | None = None,
    frozen_s: float = 0.0,
) -> JobView:
    """Returns the answer of `GET /v1/jobs/{id}`. `progress`: how far the preparation is; `wait`: why a queued job waits; `pause`: the
    pause of the group's or of all running jobs; `frozen_s`: for how long the worker was frozen.
    """
    cancel, worker, failure, outputs = record.cancel, record.worker, record.failure, record.outputs
    finished_at = record.finished_at
    started_text, finished_text = _text(record.started_at), _text(finished_at)
    kept = finished_at is not None and record.removal is None
    held = _held_by(record, pause)
    return JobView(
        id=record.id,
        uid=record.uid,
        status=record.status,
        phase=record.phase,
        reason=failure.reason if failure else None,
        error=failure.error if failure else None,
        exit_code=record.exit_code,
        waiting_for=_waiting_for(record, queue_position, wait, progress, held, attach=spec.attach),
        pull=_pull(record, progress),
        paused=held is not None and _refusal(record) is None,
        paused_seconds=round(frozen_s, 3) if frozen_s else None,
        queue_position=queue_position,
        priority=record.scheduling.priority,
        group=record.scheduling.group,
        set=spec.set,
        after=[DependencyView(job=one.job, on=one.on) for one in spec.after],
        image=spec.image,
        image_digest=record.image_digest,
        command=spec.command,
        user=spec.user,
        network=spec.network,
        ports=spec.ports,
        mounts=spec.mounts,
        meta=spec.meta,
        labels=spec.labels,
        owner=record.owner,
        cancelled_by=cancel.by if cancel else None,
        cancel_reason=cancel.why if cancel else None,
        limits=LimitsView(
            cpu=spec.cpu_cores,
            memory=spec.memory_mb,
            pids=spec.pids_limit,
            timeout_seconds=spec.timeout_s,
            gpus=spec.gpus,
        ),
        gpu_devices=record.setup.gpus if record.setup else [],
        usage=_usage(record),
        artifacts=[_artifact(a, record.attempt.artifacts.get(a.id, ArtifactState())) for a in spec.artifacts],
        retried_from=record.retried_from.id if record.retried_from else None,
        traceparent=record.trace.parent if record.trace else None,
        outputs=[_output(o.path, outputs.get(o.path, OutputState())) for o in spec.outputs],
        attempts=[*map(_earlier, record.earlier), *([_attempt(record, started_text)] if worker else [])],
        created_at=rfc3339(record.created_at),
        started_at=started_text,
        finished_at=finished_text,
        files_until=_text(finished_at + timedelta(seconds=retention_s)) if kept and finished_at else None,
    )


def _usage(record: Record) -> UsageView | None:
    usage = record.usage
    return UsageView(cpu_seconds=usage.cpu_s, memory_peak_bytes=usage.memory_peak_bytes) if usage else None


def _held_by(record: Record, pause: Wait | None) -> str | None:
    """Returns what must be resumed before the worker starts or continues."""
    if record.worker_over or record.cancel is not None:
        return None
    if record.paused:
        return sentence(Wait(WaitReason.JOB_PAUSED), record.scheduling.group)
    is_queued = isinstance(record.state, Queued)
    return None if pause is None or is_queued else sentence(pause, record.scheduling.group)


def _refusal(record: Record) -> str | None:
    """Returns why the engine has not frozen the worker, if it has refused that."""
    worker = record.worker
    refusal = worker.freeze_refusal if isinstance(worker, Started) else None
    return refusal.error if refusal else None


def _waiting_for(
    record: Record,
    position: int | None,
    wait: Wait | None,
    progress: Progress | None,
    held: str | None,
    *,
    attach: bool = False,
) -> str | None:
    if record.ended:
        return None
    if record.cancel is not None:
        return "its containers to stop"
    state = record.state
    if isinstance(state, Queued):
        if state.retry is not None and position is None:
            return f"attempt {record.attempt.number}, due at {rfc3339(state.retry.due_at)}"
        obstacle = "a free place" if wait is None else sentence(wait, record.scheduling.group)
        if held is not None:
            obstacle = held
        elif record.scheduling.after:
            obstacle = _ends(record.scheduling.after)
        return f"{obstacle}: number {position} in the queue" if position else obstacle
    if progress:
        return progress if isinstance(progress, str) else progress.text
    if held is not None and record.phase == "running":
        refusal = _refusal(record)
        return held if refusal is None else f"the command to end, which runs on: {refusal}"
    if attach and record.phase == "running" and record.worker is None:
        return "a client to attach, for half a minute at most"
    return _WAITING.get(record.phase)


def _pull(record: Record, progress: Progress | None) -> PullView | None:
    if not isinstance(progress, ImagePull) or record.phase != "pulling":
        return None
    return PullView(
        done_bytes=progress.done_bytes,
        bytes=progress.total_bytes,
        layers_done=progress.layers_done,
        layers=progress.layers,
    )


def _ends(awaited: list[Awaited]) -> str:
    """Returns which jobs must end, and how."""
    how = {"completed": "completion", "failed": "failure", "any": "end"}
    named = [f"the {how[one.on]} of job {one.id!r}" for one in awaited[:MAX_NAMED]]
    more = len(awaited) - len(named)
    return ", ".join(named) + (f" and {more} more" if more else "")


def _artifact(artifact: Artifact, state: ArtifactState) -> ArtifactView:
    return ArtifactView(
        id=artifact.id,
        type=kind_of(artifact),
        status=state.status,
        error=state.error,
        bytes=state.bytes,
        done_bytes=state.moved,
        job=artifact.job if isinstance(artifact, JobFiles) else None,
    )


def _output(path: str, state: OutputState) -> OutputView:
    return OutputView(path=path, status=state.status, bytes=state.bytes, error=state.error)


def _earlier(attempt: FailedAttempt) -> AttemptView:
    return AttemptView(
        number=attempt.number,
        exit_code=attempt.exit_code,
        reason=attempt.reason,
        started_at=_text(attempt.started_at),
        finished_at=_text(attempt.exited_at),
    )


def _attempt(record: Record, started_at: str | None) -> AttemptView:
    return AttemptView(
        number=record.attempt.number,
        exit_code=record.exit_code,
        reason=record.reason if record.worker_over else None,
        started_at=started_at,
        finished_at=_text(record.exited_at),
    )


def _text(time: datetime | None) -> str | None:
    return rfc3339(time) if time else None
