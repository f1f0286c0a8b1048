"""Decodes a job's row from its columns and checks its checksums. Pure.

A damaged row is decoded as well: `JobRow.damage` names the damage, and the other rows of the query are not affected.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from jobd.store.sqlite.checks import fits
from jobd.store.sqlite.timestamps import from_micros, optional_time
from jobd.store.tables.rows import JobRow

_UNKNOWN = datetime(1970, 1, 1, tzinfo=UTC)
_REPLACEMENT = "\ufffd"


def decode_job(row: tuple[Any, ...]) -> JobRow:
    """Returns the job of the columns `jobs.READ`."""
    (
        number,
        uid,
        job_id,
        owner,
        status,
        labels,
        created,
        finished,
        is_live,
        hidden,
        holds_id,
        record,
        version,
        set_name,
        waiting,
        fixed_sum,
        spec_sum,
        record_sum,
        spec,
    ) = row
    damage = None
    if not fits(fixed_sum, uid, job_id, owner, labels, created):
        damage = "its id, uid, owner, labels or time does not match its checksum"
    elif not isinstance(record, bytes) or not fits(record_sum, record):
        damage = "its record does not match its checksum"
    elif not isinstance(spec, bytes) or not fits(spec_sum, spec):
        damage = "its spec does not match its checksum"
    try:
        created_at, finished_at = from_micros(created), optional_time(finished)
        decoded_labels: Mapping[str, str] = {} if labels == "{}" else json.loads(labels)
    except (TypeError, ValueError, OverflowError):
        created_at, finished_at, decoded_labels = _UNKNOWN, None, {}
        damage = damage or "its labels or times cannot be read"
    return JobRow(
        uid=str(uid),
        id=_printable_id(str(job_id), number) if damage else job_id,
        owner=owner,
        status=status,
        labels=decoded_labels,
        created_at=created_at,
        finished_at=finished_at,
        live=bool(is_live),
        hidden=bool(hidden),
        holds_id=bool(holds_id),
        record=b"" if damage else record,
        spec=b"" if damage else spec,
        version=version,
        number=number,
        damage=damage,
        set_name=set_name,
        waiting=bool(waiting),
    )


def row_number(job_id: str) -> int | None:
    """Returns the number of a row whose id is damaged from its substitute id `damaged-<number>`, None for any other id."""
    text = job_id.removeprefix("damaged-")
    is_number = text != job_id and text.isascii() and text.isdecimal() and len(text) < 19
    return int(text) if is_number else None


def _printable_id(job_id: str, number: int) -> str:
    """Returns the id under which clients can address a damaged row: its own id, or a substitute where that is no text."""
    return f"damaged-{number}" if _REPLACEMENT in job_id or not job_id.isprintable() else job_id
