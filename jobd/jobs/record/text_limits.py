"""Limits the size of external texts in a job's record and events. Pure.

A record is in memory while its job is under way, and an engine, a registry or a sidecar may send texts of any length.
"""

from dataclasses import replace

import msgspec

from jobd.jobs.port.model import ContainerFacts
from jobd.jobs.record.record import Record
from jobd.jobs.state import facts
from jobd.wire import report
from jobd.wire.validation.limits import MAX_ID

MAX_ERROR = 8192
"""In characters. A sidecar cuts its own errors at 2000."""


def bounded(record: Record, fact: facts.Fact) -> facts.Fact:
    """Returns the fact with its errors cut. A report keeps only the job's own artifacts, each once."""
    match fact:
        case (
            facts.SetupFailed(message=message)
            | facts.WorkerStartFailed(message=message)
            | facts.FreezeRefused(message=message)
        ):
            return replace(fact, message=short(message))
        case facts.Reported(report=received):
            return replace(fact, report=_report(record, received))
        case facts.Observed(observation=observation):
            return replace(
                fact,
                observation=replace(
                    observation, worker=_facts(observation.worker), sidecar=_facts(observation.sidecar)
                ),
            )
        case _:
            return fact


def _report(record: Record, received: report.Report) -> report.Report:
    match received:
        case report.Refused(error=error) | report.InputsFailed(error=error):
            return msgspec.structs.replace(received, error=short(error))
        case report.ArtifactDone(error=str(error)):
            return msgspec.structs.replace(received, error=short(error))
        case report.Done(failed=failed):
            known = [name for name in dict.fromkeys(failed) if name in record.attempt.artifacts]
            # A report that fails an unknown artifact is still a failure.
            return msgspec.structs.replace(received, failed=known or [name[:MAX_ID] for name in failed[:1]])
        case _:
            return received


def _facts(container: ContainerFacts | None) -> ContainerFacts | None:
    return (
        container
        if container is None or not container.error
        else replace(container, error=short(container.error))
    )


def short(text: str) -> str:
    """Returns the text, cut at `MAX_ERROR` characters."""
    return text if len(text) <= MAX_ERROR else text[:MAX_ERROR] + "..."
