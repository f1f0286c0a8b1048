"""The end of a job that another job waits for: the waiting job may start, or ends too. Pure.

A job never runs without what it was submitted to wait for.
"""

from datetime import datetime

from jobd.jobs.record.parts import Failure
from jobd.jobs.record.record import Record
from jobd.jobs.state import facts
from jobd.jobs.state.step import Step
from jobd.jobs.state.transitions.outcome import DEPENDENCY, worker_never_ran
from jobd.wire.job import Condition, JobSpec
from jobd.wire.views.job import TERMINAL

PURGED = "purged"
"""The status of a dependency whose record was removed since its end: how the job ended is unknown."""
_MET_BY: dict[Condition, frozenset[str]] = {
    "completed": frozenset({"completed"}),
    "failed": frozenset({"failed"}),
    "any": TERMINAL | {PURGED},
}
_ENDS = {
    "completed": "has completed",
    "failed": "has failed",
    "cancelled": "was cancelled",
    PURGED: "has ended, and its record was removed",
}
_GONE = "cannot be read any more"
_WANTED: dict[Condition, str] = {"completed": "completes", "failed": "fails", "any": "ends"}


def dependency_ended(record: Record, spec: JobSpec, fact: facts.DependencyEnded, now: datetime) -> Step:
    """Returns the queued job without this dependency; ended, if the dependency ended otherwise than the job requires."""
    awaited = next((one for one in record.scheduling.after if one.uid == fact.uid), None)
    if awaited is None:
        return Step(record)
    left = [one for one in record.scheduling.after if one.uid != fact.uid]
    following = record.change(scheduling=record.scheduling.change(after=left))
    error = why_unmet(awaited.id, awaited.on, fact.status)
    if error is None:
        return Step(following)
    return worker_never_ran(following, spec, now, Failure(reason=DEPENDENCY, error=error))


def why_unmet(job_id: str, on: Condition, status: str) -> str | None:
    """Returns why a dependency that ended with this status is not met, None if it is met."""
    if status in _MET_BY[on]:
        return None
    return f"job {job_id!r} {_ENDS.get(status, _GONE)}; this job starts only if that job {_WANTED[on]}"
