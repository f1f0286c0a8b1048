"""What the queue must know of a job: its place in the order, its group, and what it needs of the machine. Pure data.

A part of the record, so that a start of jobd rebuilds the queue without reading a spec.
"""

from datetime import UTC, datetime, timedelta

import msgspec

from jobd.jobs.record.parts import Part
from jobd.wire.job import DEFAULT_CPU, DEFAULT_GROUP, DEFAULT_MEMORY_MB, Condition, Gpus

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Awaited(Part, frozen=True, kw_only=True):
    """A job that must end before this one starts. `uid`: the id may belong to another job later."""

    uid: str
    id: str
    on: Condition = "completed"


class Scheduling(Part, frozen=True, kw_only=True):
    """`ticket`: jobs of one priority start in the order of their tickets, which are microseconds of the wall clock; no later step of
    the clock changes a ticket. 0 in records of older versions: the time of the submission counts. `cpu` in cores. `after`: the dependencies that have not ended yet, as far as the record knows.
    """

    priority: int = 0
    group: str = DEFAULT_GROUP
    ticket: int = 0
    cpu: float = DEFAULT_CPU
    memory_mb: int = DEFAULT_MEMORY_MB
    gpus: Gpus = 0
    after: list[Awaited] = msgspec.field(default_factory=list)


def ticket_at(time: datetime) -> int:
    """Returns the ticket of a job that queues at this time."""
    return (time - _EPOCH) // timedelta(microseconds=1)
