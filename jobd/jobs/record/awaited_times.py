"""The times of a record from which limits count or for which a supervisor waits. Pure.

Owns which times these are: the fields of an attempt whose names are in `AWAITED`. `run_times.py` has the times that people read.
"""

from datetime import datetime, timedelta
from typing import TypeVar

from jobd.jobs.record.parts import ClockMark, Part
from jobd.jobs.record.record import Record

AWAITED = frozenset({"since", "due_at", "asked_at", "sent_at", "told_at", "deadline", "thaw_at"})

P = TypeVar("P", bound=Part)


def clock_moved(record: Record, boot: str, offset: float) -> Record:
    """Returns the record with its awaited times moved by the clock's step, so that each limit keeps its length. Over a boot of the machine
    jobd cannot determine the step, and the times stay.
    """
    mark = ClockMark(boot=boot, offset=offset)
    if boot != record.clock.boot:
        return record.change(clock=mark)
    moved_by = timedelta(seconds=offset - record.clock.offset)
    return record.change(clock=mark, attempt=_moved(record.attempt, moved_by))


def _moved(part: P, by: timedelta) -> P:
    fields: dict[str, object] = {}
    for name in part.__struct_fields__:
        value = getattr(part, name)
        if isinstance(value, Part):
            fields[name] = _moved(value, by)
        elif isinstance(value, datetime) and name in AWAITED:
            fields[name] = value + by
    return part.change(**fields) if fields else part
