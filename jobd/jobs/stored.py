"""Decodes a stored job: its record and its spec, or the reason why they cannot be read. No other module decodes rows.

Pure. An unreadable row is an error of its job alone; a caller that reads many jobs continues with the next row.
"""

import logging

import msgspec

from jobd.jobs.record.record import Record
from jobd.jobs.record.record_form import decode_record
from jobd.store.errors import UnreadableJob
from jobd.store.tables.rows import JobRow
from jobd.wire.event import rfc3339
from jobd.wire.job import JobSpec
from jobd.wire.validation.names import engine_names
from jobd.wire.views.job import UNREADABLE, JobView

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
    """Returns the readable records; for each other row, logs the reason and which objects stay."""
    records: list[Record] = []
    for row in rows:
        try:
            records.append(record_of(row))
        except UnreadableJob as error:
            fields = {"job_id": row.id, "action": "recover", "error": explained(row, error)}
            log.error("a job cannot be read", extra=fields)
    return records


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
    """Returns, for people, why a job cannot be read and what happens to its containers."""
    names = ", ".join(engine_names(row.id))
    return f"{error.why}: the disk has changed it. What there is of {names} is left alone; delete the job to remove all of it"
