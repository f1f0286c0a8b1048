"""What a sidecar's report changes: its progress, its artifacts and their events, the end of inputs and outputs. Pure.

Owns that each report counts once, by its number, and that no loss of a report goes untold: a report that cannot be read fails its artifact and
its phase, and so does an artifact that was never reported. What is seen of the sidecar from outside is in `on_observed.py`.
"""

from dataclasses import replace
from datetime import datetime

from jobd.jobs.state import facts
from jobd.jobs.state.event_drafts import Draft, artifact_type
from jobd.jobs.state.outcome import finish, outputs_failure, sidecar_again, worker_never_ran
from jobd.jobs.state.parts import ArtifactState, Failure
from jobd.jobs.state.record import Record
from jobd.jobs.state.states import DeliveringOutputs, LoadingInputs, Running
from jobd.jobs.state.step import Step
from jobd.wire import event, report
from jobd.wire.artifact import after_job
from jobd.wire.job import JobSpec

NEVER_CAME = "the sidecar's report of it never came"


def reported(record: Record, spec: JobSpec, fact: facts.Reported, now: datetime) -> Step:
    """Returns what a report makes of a job that is not over. A report that is known already, or too late, changes nothing."""
    said = fact.report
    if record.sidecar is None or said.n <= record.sidecar.report_n:
        return Step(record)
    record = record.with_sidecar(report_n=said.n)
    match said:
        case report.Progress() | report.ArtifactDone():
            return _artifact(record, spec, said)
        case report.OutputsStarted():
            return Step(record.with_sidecar(outputs_begun=True))
    match record.state:
        case LoadingInputs() as state:
            return _inputs(record, spec, state, fact, now)
        case DeliveringOutputs() as state if isinstance(said, report.Done) and not record.is_stopping:
            return _outputs_done(record, spec, state, said, fact.all_read, now)
        case _:
            return Step(record)


def _inputs(record: Record, spec: JobSpec, state: LoadingInputs, fact: facts.Reported, now: datetime) -> Step:
    match fact.report:
        case report.Refused(error=error):
            why = f"the sidecar refused its order: {error}"
            # Without the whole order, jobd has ended too soon, not the sidecar.
            return sidecar_again(record, spec, state, now, why, counts=fact.order_given)
        case report.Ready() if not record.is_stopping:
            lost = _pending(record, spec, inputs_alone=True) if fact.all_read else []
            if lost:
                step = _failed(record, spec, lost, NEVER_CAME)
                return replace(step, record=_inputs_failed(step.record, _never_came(lost)))
            ready = record.with_sidecar(in_doubt=False)
            return Step(ready.with_state(Running(since=now, setup=state.setup, sidecar=ready.sidecar)))
        case report.InputsFailed(error=error) if not record.is_stopping:
            return worker_never_ran(record, spec, now, Failure(reason="input-failed", error=error))
        case _:
            return Step(record)


def _outputs_done(
    record: Record, spec: JobSpec, state: DeliveringOutputs, said: report.Done, all_read: bool, now: datetime
) -> Step:
    lost = _pending(record, spec, inputs_alone=False) if all_read else []
    step = _failed(record, spec, lost, NEVER_CAME)
    failure = state.failure
    if said.failed:
        failure = outputs_failure(record, failure, f"outputs failed: {', '.join(said.failed)}")
    elif any(not record.attempt.artifacts[name].optional for name in lost):
        failure = outputs_failure(record, failure, _never_came(lost))
    return step.then(finish(step.record, spec, now, failure, state.worker))


def unread(record: Record, spec: JobSpec, fact: facts.ReportUnread) -> Step:
    """Returns what a report that cannot be read makes of a job that is not over: its artifact fails, where the report's beginning names one,
    and the inputs fail at once, or the outputs once they are over. Reading the report again changes nothing.
    """
    heading, sidecar = fact.heading, record.sidecar
    if sidecar is None or heading.type == "progress":
        return Step(record)  # the next report of a transfer's progress has all that this one had
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
    """Returns the artifact of a damaged report, where the artifact is of the present phase: its event must not come before its time."""
    phase_of_it = "outputs" if artifact_id in after_job(spec.artifacts) else "inputs"
    is_one = (
        artifact_id is not None and artifact_id in record.attempt.artifacts and record.phase == phase_of_it
    )
    return [artifact_id] if artifact_id is not None and is_one else []


def _inputs_failed(record: Record, error: str) -> Record:
    """Returns the record of a job whose inputs have failed. The sidecar does not know that, and is to end."""
    state = record.state
    if not isinstance(state, LoadingInputs):
        return record
    return record.with_state(state.change(failure=Failure(reason="input-failed", error=error)))


def _pending(record: Record, spec: JobSpec, *, inputs_alone: bool) -> list[str]:
    """Returns the artifacts whose end no report has told."""
    late = after_job(spec.artifacts) if inputs_alone else frozenset()
    return [
        id for id, state in record.attempt.artifacts.items() if state.status == "pending" and id not in late
    ]


def _failed(record: Record, spec: JobSpec, artifact_ids: list[str], why: str) -> Step:
    """Returns the failure of these artifacts, with their events. An artifact whose end is known keeps that."""
    step = Step(record)
    for id in artifact_ids:
        said = report.ArtifactDone(
            n=record.sidecar.report_n if record.sidecar else 0,
            artifact_id=id,
            artifact_type="",
            status="failed",
            error=why,
            optional=record.attempt.artifacts[id].optional,
        )
        step = step.then(_artifact(step.record, spec, said))
    return step


def _never_came(artifact_ids: list[str]) -> str:
    return f"the sidecar's report of {', '.join(artifact_ids)} never came"


def _artifact(record: Record, spec: JobSpec, said: report.Progress | report.ArtifactDone) -> Step:
    known = record.attempt.artifacts.get(said.artifact_id)
    if known is None or known.status != "pending":
        return Step(record)
    if isinstance(said, report.Progress):
        after = known.change(moved=said.bytes, bytes=said.total)
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
    key = report.artifact_event_key(said.artifact_id, record.attempt.number)
    return Step(changed, (Draft(event.ARTIFACT, {**data, "meta": spec.meta}, key, said.sent),))


def _with_artifact(record: Record, artifact_id: str, state: ArtifactState) -> Record:
    attempt = record.attempt
    return record.change(attempt=attempt.change(artifacts={**attempt.artifacts, artifact_id: state}))
