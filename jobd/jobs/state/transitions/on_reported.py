"""What a sidecar's report changes: its progress, its artifacts and their events, the end of inputs and outputs. Pure.

Owns that each report counts once, by its number, and that no lost report stays unnoticed: an unreadable report fails its artifact and
its phase, and so does an artifact without a report. `on_observed.py` handles observations of the sidecar.
"""

from dataclasses import replace
from datetime import datetime

from jobd.jobs.record.parts import ArtifactState, Failure
from jobd.jobs.record.record import Record
from jobd.jobs.record.states import DeliveringOutputs, LoadingInputs, Running
from jobd.jobs.state import facts
from jobd.jobs.state.event_drafts import Draft, artifact_type
from jobd.jobs.state.step import Step
from jobd.jobs.state.transitions.outcome import (
    finish,
    outputs_begin,
    outputs_failure,
    sidecar_again,
    worker_never_ran,
)
from jobd.wire import event, report
from jobd.wire.artifact import after_job
from jobd.wire.job import JobSpec

NEVER_REPORTED = "the sidecar never reported the artifact"


def reported(record: Record, spec: JobSpec, fact: facts.Reported, now: datetime) -> Step:
    """Returns the step of a report for an unfinished job. A repeated or late report changes nothing, and so does `started`, for which
    a commit would delay the reports after it.
    """
    received = fact.report
    if (
        record.sidecar is None
        or received.n <= record.sidecar.report_n
        or isinstance(received, report.Started)
    ):
        return Step(record)
    record = record.with_sidecar(report_n=received.n)
    match received:
        case report.Progress() | report.ArtifactDone():
            return _artifact(record, spec, received)
        case report.OutputsStarted():
            return Step(record.with_sidecar(outputs_begun=True))
    match record.state:
        case LoadingInputs() as state:
            return _inputs(record, spec, state, fact, now)
        case DeliveringOutputs() as state if isinstance(received, report.Done) and not record.is_stopping:
            return _outputs_done(record, spec, state, received, fact.all_read, now)
        case _:
            return Step(record)


def _inputs(record: Record, spec: JobSpec, state: LoadingInputs, fact: facts.Reported, now: datetime) -> Step:
    match fact.report:
        case report.Refused(error=error):
            why = f"the sidecar refused its order: {error}"
            # Without the whole order, jobd ended too early, not the sidecar.
            return sidecar_again(record, spec, state, now, why, counts=fact.order_given)
        case report.Ready() if not record.is_stopping:
            lost = _pending(record, spec, inputs_alone=True) if fact.all_read else []
            if lost:
                step = _failed(record, spec, lost, NEVER_REPORTED)
                return replace(step, record=_inputs_failed(step.record, _never_reported(lost)))
            ready = record.with_sidecar(in_doubt=False)
            if record.takes is not None and isinstance(ready.state, LoadingInputs):
                return outputs_begin(ready, spec, ready.state, now)
            return Step(ready.with_state(Running(since=now, setup=state.setup, sidecar=ready.sidecar)))
        case report.InputsFailed(error=error) if not record.is_stopping:
            return worker_never_ran(record, spec, now, Failure(reason="input-failed", error=error))
        case _:
            return Step(record)


def _outputs_done(
    record: Record,
    spec: JobSpec,
    state: DeliveringOutputs,
    received: report.Done,
    all_read: bool,
    now: datetime,
) -> Step:
    lost = _pending(record, spec, inputs_alone=False) if all_read else []
    step = _failed(record, spec, lost, NEVER_REPORTED)
    failure = state.failure
    if received.failed:
        failure = outputs_failure(record, failure, _outputs_failed(record, spec, received.failed))
    elif any(not record.attempt.artifacts[name].optional for name in lost):
        failure = outputs_failure(record, failure, _never_reported(lost))
    return step.then(finish(step.record, spec, now, failure, state.worker))


def _outputs_failed(record: Record, spec: JobSpec, failed: list[str]) -> str:
    """Returns the first failed output with its own error, and the names of the others. An output comes after those that it depends on, so
    the first one has the cause.
    """
    known = record.attempt.artifacts.get(failed[0])
    if known is None or not known.error:
        return f"outputs failed: {', '.join(failed)}"
    also = f"; {', '.join(failed[1:])} failed too" if failed[1:] else ""
    return f"output {failed[0]!r} ({artifact_type(spec, failed[0])}) failed: {known.error}{also}"


def unread(record: Record, spec: JobSpec, fact: facts.ReportUnread) -> Step:
    """Returns the step of an unreadable report for an unfinished job: the artifact that the report's beginning names fails, and the inputs
    fail at once, or the outputs at their end. Reading the report again changes nothing.
    """
    heading, sidecar = fact.heading, record.sidecar
    if sidecar is None or heading.type == "progress":
        return Step(record)  # the next report of the transfer's progress replaces this report
    if heading.n is not None:
        if heading.n <= sidecar.report_n:
            return Step(record)
        record = record.with_sidecar(report_n=heading.n)
    known = record.attempt.artifacts.get(heading.artifact_id or "")
    step = _failed(record, spec, _about(record, spec, heading.artifact_id), fact.why)
    record = step.record
    if record.phase == "inputs":
        if not record.is_stopping:
            record = _inputs_failed(record, fact.why)
    elif known is None or not known.optional:
        record = record.with_sidecar(unread=sidecar.unread or fact.why)
    return replace(step, record=record)


def _about(record: Record, spec: JobSpec, artifact_id: str | None) -> list[str]:
    """Returns the artifact of a damaged report if it is of the present phase: its event must not come too early."""
    phase_of_it = "outputs" if artifact_id in after_job(spec.artifacts) else "inputs"
    is_one = (
        artifact_id is not None and artifact_id in record.attempt.artifacts and record.phase == phase_of_it
    )
    return [artifact_id] if artifact_id is not None and is_one else []


def _inputs_failed(record: Record, error: str) -> Record:
    """Returns the record of a job whose inputs have failed. jobd must end the sidecar, which does not know the failure."""
    state = record.state
    if not isinstance(state, LoadingInputs):
        return record
    return record.with_state(state.change(failure=Failure(reason="input-failed", error=error)))


def _pending(record: Record, spec: JobSpec, *, inputs_alone: bool) -> list[str]:
    """Returns the artifacts whose end no report contains."""
    late = after_job(spec.artifacts) if inputs_alone else frozenset()
    return [
        id for id, state in record.attempt.artifacts.items() if state.status == "pending" and id not in late
    ]


def _failed(record: Record, spec: JobSpec, artifact_ids: list[str], why: str) -> Step:
    """Returns the failure of these artifacts, with their events. An artifact with a known end keeps that end."""
    step = Step(record)
    for id in artifact_ids:
        received = report.ArtifactDone(
            n=record.sidecar.report_n if record.sidecar else 0,
            artifact_id=id,
            artifact_type="",
            status="failed",
            error=why,
            optional=record.attempt.artifacts[id].optional,
        )
        step = step.then(_artifact(step.record, spec, received))
    return step


def _never_reported(artifact_ids: list[str]) -> str:
    return f"the sidecar never reported {', '.join(artifact_ids)}"


def _artifact(record: Record, spec: JobSpec, received: report.Progress | report.ArtifactDone) -> Step:
    known = record.attempt.artifacts.get(received.artifact_id)
    if known is None or known.status != "pending":
        return Step(record)
    if isinstance(received, report.Progress):
        after = known.change(moved=received.bytes, bytes=received.total)
        return Step(_with_artifact(record, received.artifact_id, after))
    after = ArtifactState(
        status=received.status, error=received.error, bytes=received.bytes, optional=received.optional
    )
    changed = _with_artifact(record, received.artifact_id, after)
    if received.status == "skipped":
        return Step(changed)
    data = {
        "jobId": record.id,
        "artifactId": received.artifact_id,
        "artifactType": artifact_type(spec, received.artifact_id),
        "status": received.status,
    }
    if received.content is not None:
        data["content"] = received.content
    if received.error is not None:
        data["error"] = received.error
    key = report.artifact_event_key(received.artifact_id, record.attempt.number)
    return Step(changed, (Draft(event.ARTIFACT, {**data, "meta": spec.meta}, key, received.sent),))


def _with_artifact(record: Record, artifact_id: str, state: ArtifactState) -> Record:
    attempt = record.attempt
    return record.change(attempt=attempt.change(artifacts={**attempt.artifacts, artifact_id: state}))
