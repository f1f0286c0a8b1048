"""For how long a job was in each phase. Pure.

A repeated attempt adds to the phases of the earlier ones, so that the phases of an ended job add up to the time from submission to end.
"""

from datetime import timedelta

from jobd.jobs.record.record import Record

_MICROSECOND = timedelta(microseconds=1)


def timed(before: Record, after: Record) -> Record:
    """Returns `after`, which has left the phase of `before`, with the time in that phase; at least 0, whatever the clock did."""
    phase, since = before.phase, before.state.since
    spent = max(0, (after.state.since - since) // _MICROSECOND)
    return after.change(spent={**after.spent, phase: after.spent.get(phase, 0) + spent})
