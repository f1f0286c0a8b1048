"""A stored job, read: its record and its spec, or what is wrong with them. The one place where rows are decoded.

Pure. A row that cannot be read is an error of that job alone; a caller that reads many jobs goes on with the next.
"""

import logging

import msgspec

from jobd.jobs.state.record import Record
from jobd.jobs.state.record_form import decode_record
from jobd.store.errors import UnreadableJob
from jobd.store.tables.rows import JobRow
from jobd.wire.event import rfc3339
from jobd.wire.job import JobSpec
from jobd.wire.validation.names import engine_names
from jobd.wire.view import UNREADABLE, JobView

log = logging.getLogger(__name__)

_spec_decoder = msgspec.json.Decoder(JobSpec)


def record_of(row: JobRow) -> Record:
    """Returns the record. Raises UnreadableJob."""
    if row.damage:
        raise UnreadableJob(row.id, row.damage)
    try:
        return decode_record(row.record)
    except (msgspec.DecodeError, ValueError) as error:
        raise UnreadableJob(row.id, f"its record cannot be read ({error})") from None


def spec_of(row: JobRow) -> JobSpec:
    """Returns the spec. Raises UnreadableJob."""
    if row.damage:
        raise UnreadableJob(row.id, row.damage)
    try:
        return _spec_decoder.decode(row.spec)
    except (msgspec.DecodeError, ValueError) as error:
        raise UnreadableJob(row.id, f"its spec cannot be read ({error})") from None


def readable(rows: list[JobRow]) -> list[Record]:
    """Returns the records that can be read; for each other row, logs what is wrong and what is left alone."""
    found: list[Record] = []
    for row in rows:
        try:
            found.append(record_of(row))
        except UnreadableJob as error:
            fields = {"job_id": row.id, "action": "recover", "error": explained(row, error)}
            log.error("a job cannot be read", extra=fields)
    return found


def unreadable_view(row: JobRow, error: UnreadableJob) -> JobView:
    """Returns the view of a job that cannot be read."""
    return JobView(
        id=row.id,
        uid=row.uid,
        status=UNREADABLE,
        reason=UNREADABLE,
        error=explained(row, error),
        labels=dict(row.labels),
        owner=row.owner,
        created_at=rfc3339(row.created_at),
    )


def explained(row: JobRow, error: UnreadableJob) -> str:
    """Returns, for people, what is wrong with a job and what has become of its containers."""
    names = ", ".join(engine_names(row.id))
    return f"{error.why}: the disk has changed it. What there is of {names} is left alone; delete the job to remove all of it"
