"""A job's row as it comes out of the database, whole or damaged. Pure.

A row that cannot be read is a row all the same: it says what is wrong with it, and keeps no other from being read.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from jobd.store.sqlite.checks import fits
from jobd.store.sqlite.timestamps import from_micros, optional_moment
from jobd.store.tables.rows import JobRow

_UNKNOWN = datetime(1970, 1, 1, tzinfo=UTC)
_MARK = "\ufffd"


def job_of(row: tuple[Any, ...]) -> JobRow:
    """Returns the columns of `jobs.READ` as a row."""
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
        moments = from_micros(created), optional_moment(finished)
        labels_of: Mapping[str, str] = {} if labels == "{}" else json.loads(labels)
    except (TypeError, ValueError, OverflowError):
        moments, labels_of = (_UNKNOWN, None), {}
        damage = damage or "its labels or times cannot be read"
    return JobRow(
        uid=str(uid),
        id=_shown(str(job_id), number) if damage else job_id,
        owner=owner,
        status=status,
        labels=labels_of,
        created_at=moments[0],
        finished_at=moments[1],
        live=bool(is_live),
        hidden=bool(hidden),
        holds_id=bool(holds_id),
        record=b"" if damage else record,
        spec=b"" if damage else spec,
        version=version,
        number=number,
        damage=damage,
    )


def shown_number(job_id: str) -> int | None:
    """Returns the number of the row that `job_id` stands for, where it is the name of one whose id is damaged."""
    text = job_id.removeprefix("damaged-")
    is_number = text != job_id and text.isascii() and text.isdecimal() and len(text) < 19
    return int(text) if is_number else None


def _shown(job_id: str, number: int) -> str:
    """An id by which a damaged row can be asked for: its own, as long as that is text."""
    return f"damaged-{number}" if _MARK in job_id or not job_id.isprintable() else job_id
