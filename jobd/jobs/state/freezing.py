"""A worker's freezes: their begin, their end, and the time for which the worker's time limit stands still. Pure.

Owns these times. The begin and the end are stored before the engine's calls. If an answer is lost, also by a kill of jobd, an observation
shows whether the worker was frozen or thawed, and the stored time counts: a freeze is wrong by the duration of one call at most.

If another program thaws the worker, the time up to the observation of that counts as frozen.
"""

from datetime import datetime, timedelta

from jobd.jobs.record.parts import Ended, Freeze, FreezeRefusal, Started, Starting
from jobd.jobs.state.run_times import seconds_between

REFUSED_AGAIN = timedelta(minutes=1)
"""How long after a refusal jobd tries again to freeze the worker."""
KEPT_FOR = timedelta(seconds=2)
"""A freeze that lasts no longer, without a thaw by jobd, counts as refused: jobd does not freeze the worker again and again."""
NOT_KEPT = "the engine does not keep the worker frozen"


def freezing(worker: Started, now: datetime) -> Started:
    """Returns the worker that jobd is about to freeze."""
    return _closed(worker, now).change(freeze=Freeze(since=now), freeze_refusal=None)


def frozen(worker: Started) -> Started:
    """Returns the worker that the engine has frozen."""
    freeze = worker.freeze
    return worker if freeze is None else worker.change(freeze=freeze.change(confirmed=True))


def refused(worker: Started, error: str, now: datetime) -> Started:
    """Returns the worker that the engine has refused to freeze."""
    return worker.change(freeze=None, freeze_refusal=FreezeRefusal(since=now, error=error))


def thawing(worker: Started, now: datetime) -> Started:
    """Returns the worker that jobd is about to thaw."""
    freeze = worker.freeze
    thawed = None if freeze is None else freeze.change(thaw_at=freeze.thaw_at or now)
    return worker.change(freeze=thawed, freeze_refusal=None)


def thawed(worker: Started, now: datetime) -> Started:
    """Returns the worker that the engine has thawed."""
    return _closed(worker, now)


def observed(worker: Started, is_frozen: bool, now: datetime) -> Started:
    """Returns the running worker, which the engine reports as frozen or not."""
    freeze = worker.freeze
    if freeze is None:
        return worker
    if is_frozen:
        return worker.change(freeze=freeze.change(confirmed=True, thaw_at=None))
    if freeze.thaw_at is not None:
        return _closed(worker, now)
    if freeze.confirmed:
        is_kept = now >= freeze.since + KEPT_FOR
        return _closed(worker, now) if is_kept else refused(worker, NOT_KEPT, now)
    return worker.change(freeze=None)  # the request did not reach the engine: the worker has run


def ended(worker: Started, at: datetime) -> Started:
    """Returns the worker that has ended at this time."""
    if worker.freeze is not None and not worker.freeze.confirmed:
        return worker.change(freeze=None)
    return _closed(worker, at)


def is_frozen(worker: Starting | Started | Ended | None) -> bool:
    """Returns whether the worker stands still."""
    return isinstance(worker, Started) and worker.freeze is not None and worker.freeze.confirmed


def frozen_s(worker: Started, now: datetime) -> float:
    """Returns for how many seconds the worker has been frozen so far."""
    freeze = worker.freeze
    if freeze is None:
        return worker.frozen_s
    until = now if freeze.thaw_at is None else min(freeze.thaw_at, now)
    return worker.frozen_s + (seconds_between(freeze.since, until) or 0.0)


def _closed(worker: Started, at: datetime) -> Started:
    """Returns the worker without its freeze, which moves the deadline."""
    total_s = frozen_s(worker, at)
    moved = timedelta(seconds=total_s - worker.frozen_s)
    return worker.change(freeze=None, frozen_s=total_s, deadline=worker.deadline + moved)
