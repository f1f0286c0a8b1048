"""One job's wait for its place: the ends of its dependencies, and the queue's answer as a fact.

Decides nothing: `jobs/admission` admits jobs, and the state decides what the end of a dependency changes.
"""

from jobd.jobs.admission.slot import Slot
from jobd.jobs.run.dependencies import Dependencies
from jobd.jobs.run.job_state import JobState
from jobd.jobs.state import facts
from jobd.jobs.state.transitions.on_dependency import PURGED
from jobd.store.errors import UnreadableJob
from jobd.wire.views.job import UNREADABLE


class Admission:
    """Enters a job into the queue and waits there."""

    __slots__ = ("_deps", "_job_state", "_looked_for_ends", "_slot")

    def __init__(self, slot: Slot, job_state: JobState, deps: Dependencies) -> None:
        self._slot = slot
        self._job_state = job_state
        self._deps = deps
        self._looked_for_ends = False
        """True once the queue knows which dependencies had ended before the job entered the queue."""

    async def admit(self) -> None:
        """Returns once the record has changed, or the job's place. Raises StoreError."""
        record = self._job_state.record
        self._slot.enter(record)
        if not self._looked_for_ends:
            for awaited in record.scheduling.after:
                await self._tell_if_ended(awaited.uid)
            self._looked_for_ends = True
        await self._slot.changed()
        if (end := self._slot.news) is not None:
            await self._job_state.apply(facts.DependencyEnded(end.uid, end.status))
        elif (gpus := self._slot.gpus) is not None:
            await self._job_state.apply(facts.Admitted(gpus))

    async def _tell_if_ended(self, uid: str) -> None:
        """Tells the queue of a dependency that ended before this job entered the queue; a later end is told by its own supervisor."""
        try:
            dependency = await self._deps.repository.stored(uid)
        except UnreadableJob:
            self._deps.queue.job_ended(uid, UNREADABLE)
            return
        if dependency is None or dependency.ended:
            self._deps.queue.job_ended(uid, PURGED if dependency is None else dependency.status)
