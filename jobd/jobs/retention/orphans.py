"""Removes orphans: containers and volumes that have this jobd's labels and belong to no job.

Owns the grace period: an orphan is removed once two rounds, an interval apart, have found it. A job that is being created, or
whose row is damaged, has no orphans.
"""

import logging
from collections.abc import Mapping, Set

from jobd.clock import Clock
from jobd.jobs.port.errors import RefusedByEngine
from jobd.jobs.port.model import MAX_UID, JobRef
from jobd.jobs.port.protocols import Upkeep
from jobd.jobs.run.supervisors import Supervisors
from jobd.jobs.storage import RetentionStore

MAX_TRACKED = 4096
"""The orphans whose grace period is tracked, by uids of at most `MAX_UID` characters. Further orphans follow later."""

log = logging.getLogger(__name__)


class Orphans:
    """The orphans of one jobd. `grace_s`: the time between two rounds."""

    def __init__(
        self, store: RetentionStore, supervisors: Supervisors, engine: Upkeep, clock: Clock, grace_s: float
    ) -> None:
        self._store = store
        self._supervisors = supervisors
        self._engine = engine
        self._clock = clock
        self._grace_s = grace_s
        self._found_at: dict[str, float] = {}
        """By uid, in monotonic seconds: when an orphan was first found. At most `MAX_TRACKED`."""
        self._last_refused = ""
        """The uid of the last orphan that the engine refused to remove."""
        self._without_grace: dict[str, None] = {}
        """The uids of unreadable jobs that a user has deleted. At most `MAX_TRACKED`, the newest."""

    def skip_grace(self, uid: str) -> None:
        """The next round removes the containers and volumes of this job: a user has deleted the job."""
        if len(uid) <= MAX_UID:  # a longer uid is damaged: no container has it
            self._without_grace[uid] = None
        while len(self._without_grace) > MAX_TRACKED:
            del self._without_grace[next(iter(self._without_grace))]  # these orphans get the grace period

    async def remove(self) -> None:
        """Removes the orphans whose grace period is over.

        Raises:
            EngineUnavailable, StoreError: safe to repeat.
        """
        now, before = self._clock.monotonic(), self._found_at
        refs = await self._engine.refs()
        present = {ref.uid for ref in refs}
        self._without_grace = {uid: None for uid in self._without_grace if uid in present}
        live = await self._store.liveness(present)
        orphans = [ref for ref in refs if await self._is_orphan(ref, live)]
        uids = {ref.uid for ref in orphans}
        self._found_at = tracked(before, uids, now, self._last_refused)
        is_crowded = len(uids) > len(self._found_at)
        for ref in orphans:
            is_due = now - self._found_at.get(ref.uid, now) >= self._grace_s
            if not is_due and ref.uid not in self._without_grace:
                continue
            try:
                await self._engine.remove(ref)
            except RefusedByEngine as error:
                fields = {"job_id": ref.id, "action": "remove-orphan", "error": str(error)}
                log.warning("the engine refused to remove an orphan; jobd tries again", extra=fields)
                if is_crowded:  # another orphan is tracked instead
                    self._found_at.pop(ref.uid, None)
                    self._last_refused = ref.uid
            else:
                log.info("orphan removed", extra={"job_id": ref.id, "action": "remove-orphan"})

    async def _is_orphan(self, ref: JobRef, live: Mapping[str, bool]) -> bool:
        if live.get(ref.uid) or (ref.uid in live and self._supervisors.get(ref.uid) is not None):
            return False
        return not await self._store.is_damaged(ref.uid, ref.id)


def tracked(before: Mapping[str, float], uids: Set[str], now: float, last_refused: str) -> dict[str, float]:
    """Returns when each tracked orphan was found: those of `before` that still exist, then new ones up to `MAX_TRACKED`. Pure.

    If there are too many, uids after `last_refused` come first, so that each orphan has its turn.
    """
    found_at = {uid: at for uid, at in before.items() if uid in uids}
    new = sorted(uids - found_at.keys(), key=lambda uid: (uid <= last_refused, uid))
    found_at.update(dict.fromkeys(new[: MAX_TRACKED - len(found_at)], now))
    return found_at
