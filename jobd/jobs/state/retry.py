"""Decides whether and when a failed attempt is repeated, and what the next attempt keeps. Pure.

A repeated attempt queues again; the log continues, the artifacts start again.
"""

from datetime import datetime, timedelta

from jobd.jobs.record.attempt import Attempt
from jobd.jobs.record.parts import ArtifactState, Ended, FailedAttempt, Failure, PendingRetry
from jobd.jobs.record.record import Record
from jobd.jobs.record.scheduling import ticket_at
from jobd.jobs.record.states import Queued
from jobd.jobs.state.event_drafts import Draft, event_exit_code
from jobd.wire import event
from jobd.wire.job import RETRY_REASONS, JobSpec

FIRST_DELAY_S, LONGEST_DELAY_S = 1.0, 60.0


def is_repeated(record: Record, spec: JobSpec, failure: Failure | None, worker: Ended | None) -> bool:
    """True if another attempt follows an attempt with this end."""
    if record.cancel is not None or record.attempt.number > spec.retries:
        return False
    if failure is None or failure.reason not in RETRY_REASONS:
        return False
    exit_code = worker.exit_code if worker else None
    return not spec.retry_on or failure.reason in spec.retry_on or exit_code in spec.retry_on


def delay_s(attempt: int) -> float:
    """Returns the seconds between the failure of this attempt, from 1, and the next attempt: doubled each time."""
    return float(min(FIRST_DELAY_S * 2 ** (attempt - 1), LONGEST_DELAY_S))


def repeated(
    record: Record, spec: JobSpec, failure: Failure, worker: Ended | None, now: datetime
) -> tuple[Record, Draft]:
    """Returns the record at the start of the next attempt, and the event. Of the previous attempt it keeps only which artifacts are
    optional. The next attempt queues behind the jobs that were submitted before the attempt is due.
    """
    attempt = record.attempt
    pause_s = delay_s(attempt.number)
    due_at = now + timedelta(seconds=pause_s)
    failed = FailedAttempt(
        number=attempt.number,
        reason=failure.reason,
        error=failure.error,
        exit_code=worker.exit_code if worker else None,
        started_at=worker.started_at if worker else None,
        exited_at=worker.exited_at if worker else None,
    )
    data = {
        "jobId": record.id,
        "attempt": attempt.number,
        "reason": failure.reason,
        "exitCode": event_exit_code(failed.exit_code),
        "error": failure.error,
        "delaySeconds": pause_s,
        "meta": spec.meta,
    }
    following = Attempt(
        number=attempt.number + 1,
        state=Queued(since=now, retry=PendingRetry(due_at=due_at)),
        artifacts={name: ArtifactState(optional=state.optional) for name, state in attempt.artifacts.items()},
    )
    scheduling = record.scheduling.change(ticket=max(record.ticket + 1, ticket_at(due_at)))
    next_record = record.change(attempt=following, earlier=[*record.earlier, failed], scheduling=scheduling)
    return next_record, Draft(event.RETRY, data)
