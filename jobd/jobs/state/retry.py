"""Whether a failed attempt is repeated, when, and what the next one starts from. Pure.

A repeated attempt goes back through the queue; the log goes on, the artifacts begin anew.
"""

from datetime import datetime, timedelta

import msgspec

from jobd.jobs.state import event_drafts
from jobd.jobs.state.record import ArtifactState, Attempt, Record, event_exit_code
from jobd.wire import event
from jobd.wire.job import RETRY_REASONS, JobSpec

FIRST_DELAY_S, LONGEST_DELAY_S = 1.0, 60.0


def is_repeated(record: Record, spec: JobSpec) -> bool:
    """True where the attempt that has just failed, or could not run, is followed by another one."""
    if record.desired != "run" or record.attempt > spec.retries or record.reason not in RETRY_REASONS:
        return False
    return not spec.retry_on or record.reason in spec.retry_on or record.exit_code in spec.retry_on


def delay_s(attempt: int) -> float:
    """Returns the seconds between the failure of this attempt, from 1, and the next one: doubled each time."""
    return float(min(FIRST_DELAY_S * 2 ** (attempt - 1), LONGEST_DELAY_S))


def repeated(record: Record, spec: JobSpec, now: datetime) -> tuple[Record, event_drafts.Draft]:
    """Returns the record at the start of the next attempt, and what announces it."""
    pause_s = delay_s(record.attempt)
    failed = Attempt(
        number=record.attempt,
        reason=record.reason or "",
        error=record.error,
        exit_code=record.exit_code,
        started_at=record.started_at,
        exited_at=record.exited_at,
    )
    data = {
        "jobId": record.id,
        "attempt": record.attempt,
        "reason": record.reason,
        "exitCode": event_exit_code(record.exit_code),
        "error": record.error,
        "delaySeconds": pause_s,
        "meta": spec.meta,
    }
    fresh = Record(uid=record.uid, id=record.id, created_at=record.created_at)
    following = msgspec.structs.replace(
        fresh,
        version=record.version,
        image=record.image,
        owner=record.owner,
        spec_digest=record.spec_digest,
        has_spool=record.has_spool,
        token=record.token,
        attempt=record.attempt + 1,
        earlier=[*record.earlier, failed],
        retry_at=now + timedelta(seconds=pause_s),
        leftovers=True,
        phase_since=now,
        boot=record.boot,
        clock_offset=record.clock_offset,
        image_digest=record.image_digest,
        artifacts={name: ArtifactState(optional=state.optional) for name, state in record.artifacts.items()},
        events=record.events,
        sequence=record.sequence,
        log_seq=record.log_seq,
        log_bytes=record.log_bytes,
        log_full=record.log_full,
        log_announced=record.announced_seq,
        start_announced=record.start_announced,
    )
    return following, event_drafts.Draft(event.RETRY, data)
