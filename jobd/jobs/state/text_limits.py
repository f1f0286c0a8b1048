"""How much of what others say of a job goes into its record and its events. Pure.

A record is in memory while its job is under way, and an engine, a registry or a sidecar may say anything.
"""

from dataclasses import replace

import msgspec

from jobd.jobs.port.model import ContainerFacts
from jobd.jobs.state import facts
from jobd.jobs.state.record import Record
from jobd.wire import report
from jobd.wire.validation.limits import MAX_ID

MAX_ERROR = 8192
"""In characters. A sidecar cuts its own errors at 2000."""


def bounded(record: Record, fact: facts.Fact) -> facts.Fact:
    """Returns the fact with its errors cut. A report keeps of its artifacts those that the job has, each once."""
    match fact:
        case facts.SetupFailed(message=message) | facts.WorkerStartFailed(message=message):
            return replace(fact, message=short(message))
        case facts.Reported(report=said):
            return replace(fact, report=_report(record, said))
        case facts.Observed(observation=seen):
            return replace(
                fact, observation=replace(seen, worker=_facts(seen.worker), sidecar=_facts(seen.sidecar))
            )
        case _:
            return fact


def _report(record: Record, said: report.Report) -> report.Report:
    match said:
        case report.Refused(error=error) | report.InputsFailed(error=error):
            return msgspec.structs.replace(said, error=short(error))
        case report.ArtifactDone(error=str(error)):
            return msgspec.structs.replace(said, error=short(error))
        case report.Done(failed=failed):
            known = [name for name in dict.fromkeys(failed) if name in record.attempt.artifacts]
            # A report that fails an artifact which the job does not have has failed all the same.
            return msgspec.structs.replace(said, failed=known or [name[:MAX_ID] for name in failed[:1]])
        case _:
            return said


def _facts(found: ContainerFacts | None) -> ContainerFacts | None:
    return found if found is None or not found.error else replace(found, error=short(found.error))


def short(text: str) -> str:
    """Returns the text, cut at `MAX_ERROR` characters."""
    return text if len(text) <= MAX_ERROR else text[:MAX_ERROR] + "..."
