"""What a sidecar's report changes: its progress, its artifacts and their events, the end of inputs and outputs. Pure.

Owns that each report counts once, by its number, and that none is lost without a word: one that cannot be read, or an artifact that was
never reported, fails what it was about. What is seen of the sidecar from outside is in `on_observed.py`.
"""

from dataclasses import replace
from datetime import datetime

import msgspec

from jobd.jobs.state import event_drafts, facts
from jobd.jobs.state.next_action import stopping
from jobd.jobs.state.outcome import (
    Step,
    change,
    enter,
    finish,
    outputs_failed,
    sidecar_again,
    worker_never_ran,
)
from jobd.jobs.state.record import ArtifactState, Record, artifact_type
from jobd.wire import event, report
from jobd.wire.artifact import after_job
from jobd.wire.job import JobSpec

NEVER_CAME = "the sidecar's report of it never came"


def reported(record: Record, spec: JobSpec, fact: facts.Reported, now: datetime) -> Step:
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
            lost = _pending(record, spec, inputs_alone=True) if fact.all_read else []
            if lost:
                step = _failed(record, spec, lost, NEVER_CAME)
                return replace(step, record=_inputs_failed(step.record, _lost_words(lost)))
            return Step(enter(record, "running", now, inputs_ready=True, unstarted=None))
        case report.InputsFailed(error=error) if record.phase == "inputs" and not stopping(record):
            return worker_never_ran(record, spec, now, "input-failed", error)
        case report.OutputsStarted():
            return Step(change(record, outputs_heard=True))
        case report.Done(failed=failed) if record.phase == "outputs" and not stopping(record):
            lost = _pending(record, spec, inputs_alone=False) if fact.all_read else []
            step = _failed(record, spec, lost, NEVER_CAME)
            record = step.record
            if failed:
                names = ", ".join(failed)
                record = outputs_failed(change(record, outputs_failed=failed), f"outputs failed: {names}")
            elif any(not record.artifacts[name].optional for name in lost):
                record = outputs_failed(record, _lost_words(lost))
            return replace(step, record=record).then(finish(record, spec, now))
        case _:
            return Step(record)


def unread(record: Record, spec: JobSpec, fact: facts.ReportUnread) -> Step:
    """Returns what a report that cannot be read makes of a job that is not over: the failure of its artifact, where its beginning
    tells that, and of the inputs at once or of the outputs once they are over. Reading it again changes nothing.
    """
    heading = fact.heading
    if record.sidecar_intended_at is None or heading.type == "progress":
        return Step(record)  # the next report of a transfer's progress has all that this one had
    if heading.n is not None:
        if heading.n <= record.report_n:
            return Step(record)
        record = change(record, report_n=heading.n)
    known = record.artifacts.get(heading.artifact_id or "")
    step = _failed(record, spec, _about(record, spec, heading.artifact_id), fact.why)
    record = step.record
    if record.phase == "inputs":
        if not stopping(record):
            record = _inputs_failed(record, fact.why)
    elif known is None or not known.optional:
        record = change(record, unread_report=record.unread_report or fact.why)
    return replace(step, record=record)


def _about(record: Record, spec: JobSpec, artifact_id: str | None) -> list[str]:
    """Returns the artifact of a damaged report where one of the present phase: its event must not come before its time."""
    phase_of_it = "outputs" if artifact_id in after_job(spec.artifacts) else "inputs"
    is_one = artifact_id is not None and artifact_id in record.artifacts and record.phase == phase_of_it
    return [artifact_id] if artifact_id is not None and is_one else []


def _inputs_failed(record: Record, error: str) -> Record:
    """Returns the record of a job whose sidecar is ended, since it does not know that its inputs count as failed."""
    return change(record, reason="input-failed", error=error)


def _pending(record: Record, spec: JobSpec, *, inputs_alone: bool) -> list[str]:
    """Returns the artifacts that no report has told the end of."""
    late = after_job(spec.artifacts) if inputs_alone else frozenset()
    return [id for id, state in record.artifacts.items() if state.status == "pending" and id not in late]


def _failed(record: Record, spec: JobSpec, artifact_ids: list[str], why: str) -> Step:
    """Returns the failure of these artifacts, with their events; one whose end is known keeps it."""
    step = Step(record)
    for id in artifact_ids:
        said = report.ArtifactDone(
            n=record.report_n,
            artifact_id=id,
            artifact_type="",
            status="failed",
            error=why,
            optional=record.artifacts[id].optional,
        )
        step = step.then(_artifact(step.record, spec, said))
    return step


def _lost_words(artifact_ids: list[str]) -> str:
    return f"the sidecar's report of {', '.join(artifact_ids)} never came"


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
    return Step(changed, (event_drafts.Draft(event.ARTIFACT, {**data, "meta": spec.meta}, key, said.sent),))


def _with_artifact(record: Record, artifact_id: str, state: ArtifactState) -> Record:
    return change(record, artifacts={**record.artifacts, artifact_id: state})
