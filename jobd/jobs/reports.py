"""What a sidecar's report changes: its progress, its artifacts and their events, the end of inputs and outputs. Pure.

Owns that each report counts once, by its number. What is seen of the sidecar from outside is in `looks.py`.
"""

from datetime import datetime

import msgspec

from jobd.jobs import facts as f
from jobd.jobs.demand import stopping
from jobd.jobs.outcome import Step, change, enter, finish, outputs_failed, sidecar_again, worker_never_ran
from jobd.jobs.record import ArtifactState, Record, artifact_type
from jobd.wire import event, report
from jobd.wire.job import JobSpec


def reported(record: Record, spec: JobSpec, fact: f.Reported, now: datetime) -> Step:
    """Returns what a report makes of a job that is not over; one that is known already, or too late, changes nothing."""
    said = fact.report
    if said.n <= record.report_n or record.sidecar_intended_at is None:
        return Step(record)
    record = change(record, report_n=said.n)
    match said:
        case report.Refused(error=error) if record.phase == "inputs":
            if not fact.order_given:
                record = change(
                    record, sidecar_runs=record.sidecar_runs - 1
                )  # jobd ended too soon, not the sidecar
            return sidecar_again(record, spec, now, f"the sidecar refused its order: {error}")
        case report.Progress() | report.ArtifactDone():
            return _artifact(record, spec, said)
        case report.Ready() if record.phase == "inputs" and not stopping(record):
            return Step(enter(record, "running", now, inputs_ready=True, unstarted=None))
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


def _with_artifact(record: Record, artifact_id: str, state: ArtifactState) -> Record:
    return change(record, artifacts={**record.artifacts, artifact_id: state})
