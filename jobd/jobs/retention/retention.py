"""What is let go: containers and workspaces after `JOB_RETENTION`, records after `HISTORY_RETENTION`, leftovers after a grace.

Owns the timer of `MAINTENANCE_INTERVAL`, which also lets every job look at its containers: the third way, beside boot and
reconnect, into the same reconcile. Never touches a job that has not ended, nor what does not bear this jobd's labels.
"""

import asyncio
import logging
from collections.abc import Mapping, Set
from dataclasses import dataclass

from jobd.clock import Clock
from jobd.jobs.job_repository import JobRepository
from jobd.jobs.port.errors import EngineError, RefusedByEngine
from jobd.jobs.port.hints import Changed
from jobd.jobs.port.model import MAX_UID, JobRef
from jobd.jobs.port.protocols import Upkeep
from jobd.jobs.retention.kept_outputs import KeptOutputs
from jobd.jobs.run.supervisors import Supervisors
from jobd.jobs.state import facts
from jobd.jobs.state.machine import step
from jobd.jobs.stored import record_of
from jobd.store.errors import StoreError, UnreadableJob
from jobd.store.store import FIRST, Store
from jobd.store.tables.rows import JobRow

BATCH = 200
CLOCK_TOLERANCE_S = 1.0
MOST_REMEMBERED = 4096
"""So many uids of leftovers are remembered, each of at most `MAX_UID` characters; more leftovers have their turn after these."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RetentionSettings:
    """All in seconds."""

    job_retention_s: float
    history_retention_s: float
    interval_s: float


class Retention:
    """`run` is the timer; `sweep` is one round of it."""

    def __init__(
        self,
        store: Store,
        repository: JobRepository,
        supervisors: Supervisors,
        engine: Upkeep,
        outputs: KeptOutputs,
        clock: Clock,
        settings: RetentionSettings,
    ) -> None:
        self._store = store
        self._repository = repository
        self._supervisors = supervisors
        self._engine = engine
        self._outputs = outputs
        self._clock = clock
        self._settings = settings
        self._leftover_since: dict[str, float] = {}
        """By uid, in monotonic seconds: what belongs to no job, and since when that is known. `MOST_REMEMBERED` at most."""
        self._refused_last = ""
        """The uid of the leftover that the engine refused to remove last."""
        self._discarded: dict[str, None] = {}
        """Uids whose containers need no grace: somebody has deleted the job. `MOST_REMEMBERED` at most, the newest."""
        self._asked = asyncio.Event()
        self._offset = clock.offset()

    async def run(self) -> None:
        """Sweeps for ever, with the interval between two rounds. First of all has every row looked at for damage, from then on some
        of them in each round.
        """
        while await self._look_for_damage():
            pass
        while True:
            await self._pause()
            await self._look_for_damage()
            try:
                self._supervisors.hint(Changed())
                await self.sweep()
                await self.remove_leftovers()
            except (EngineError, StoreError) as error:
                log.warning("maintenance put off", extra={"action": "sweep", "error": str(error)})

    async def _look_for_damage(self) -> bool:
        try:
            return await self._store.look_for_damage()
        except StoreError as error:
            log.warning("maintenance put off", extra={"action": "look-for-damage", "error": str(error)})
            return False

    async def _pause(self) -> None:
        """Returns after the interval, or when somebody asks for a round."""
        sleeper = asyncio.ensure_future(self._clock.sleep(self._settings.interval_s))
        asked = asyncio.ensure_future(self._asked.wait())
        try:
            await asyncio.wait({sleeper, asked}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._asked.clear()
            sleeper.cancel()
            asked.cancel()

    async def sweep(self) -> None:
        """Removes what is over its time. Safe to repeat.

        Raises:
            EngineUnavailable, StoreError: the rest is done in the next round.
        """
        self._look_at_clock()
        await self._store.keep_seen()
        try:
            await self._clean()
        except EngineError:
            await self._tidy()  # an engine that is away keeps no room on the disk from being given back
            raise
        await self._tidy()

    async def discard(self, row: JobRow) -> None:
        """Deletes a job that cannot be read; its containers and volumes go with the next round, which is now."""
        await self._store.discard(row.number)
        if len(row.uid) <= MAX_UID:  # else the row was damaged, and no container bears it
            self._discarded[row.uid] = None
        while len(self._discarded) > MOST_REMEMBERED:
            del self._discarded[
                next(iter(self._discarded))
            ]  # its containers have their grace, and go after that
        self._asked.set()

    async def _clean(self) -> None:
        # A job that cannot be removed now, or cannot be read, keeps no other from being.
        cursor = FIRST
        while True:
            page = await self._store.ended_live_rows(self._settings.job_retention_s, BATCH, cursor)
            for row in page.jobs:
                await self._clean_one(row)
            if page.cursor is None:
                return
            cursor = page.cursor

    async def _tidy(self) -> None:
        while await self._store.expire(self._settings.history_retention_s, BATCH):
            pass
        await self._store.remove_hidden()
        await self._remove_outputs()
        await self._store.give_back()

    async def _remove_outputs(self) -> None:
        """Kept outputs go with their job's record."""
        for uid in await self._outputs.uids():
            row = await self._store.get_by_uid(uid)
            if row is None and self._supervisors.get(uid) is None:
                await self._outputs.remove(uid)

    def _look_at_clock(self) -> None:
        """Says that somebody has set the wall clock. Nothing is let go for that: retention counts the time that was seen."""
        offset, before = self._clock.offset(), self._offset
        self._offset = offset
        if abs(offset - before) > CLOCK_TOLERANCE_S:
            log.warning(
                "the wall clock was set", extra={"action": "sweep", "by_s": round(offset - before, 1)}
            )

    async def remove_leftovers(self) -> None:
        """Removes containers and volumes of this jobd that have belonged to no job for the time between two rounds.

        Raises:
            EngineUnavailable, StoreError: safe to repeat.
        """
        now, before = self._clock.monotonic(), self._leftover_since
        refs = await self._engine.refs()
        there = {ref.uid for ref in refs}
        self._discarded = {uid: None for uid in self._discarded if uid in there}
        left = [ref for ref in refs if await self._is_leftover(ref)]
        uids = {ref.uid for ref in left}
        self._leftover_since = remembered(before, uids, now, self._refused_last)
        is_crowded = len(uids) > len(self._leftover_since)
        for ref in left:
            waited = now - self._leftover_since.get(ref.uid, now) >= self._settings.interval_s
            if not waited and ref.uid not in self._discarded:
                continue
            try:
                await self._engine.remove(ref)
            except RefusedByEngine as error:
                fields = {"job_id": ref.id, "action": "remove-leftover", "error": str(error)}
                log.warning("leftover not removed yet", extra=fields)
                if is_crowded:  # another one has its turn
                    self._leftover_since.pop(ref.uid, None)
                    self._refused_last = ref.uid
            else:
                log.info("leftover removed", extra={"job_id": ref.id, "action": "remove-leftover"})

    async def _is_leftover(self, ref: JobRef) -> bool:
        row = await self._store.get_by_uid(ref.uid)
        if row is not None and (row.live or self._supervisors.get(ref.uid) is not None):
            return False
        return not await self._store.is_damaged(ref.uid, ref.id)

    async def _clean_one(self, row: JobRow) -> None:
        try:
            record = record_of(row)
            await self._engine.remove(JobRef(record.uid, record.id, record.attempt.number))
            # The row may have changed since it was read, by a delete for instance: the fact counts for what is stored now.
            await self._repository.transition(
                record.uid, lambda stored, spec: step(stored, spec, facts.Cleaned(), self._clock.now())
            )
        except (RefusedByEngine, UnreadableJob) as error:
            fields = {"job_id": row.id, "action": "clean", "error": str(error)}
            log.warning("job not removed yet", extra=fields)


def remembered(
    before: Mapping[str, float], uids: Set[str], now: float, refused_last: str
) -> dict[str, float]:
    """Returns since when each leftover is known: those of `before` that are still there, and new ones while there is room. Pure.

    Where there are too many, those come first whose uid is after `refused_last`, so that each has its turn.
    """
    since = {uid: at for uid, at in before.items() if uid in uids}
    new = sorted(uids - since.keys(), key=lambda uid: (uid <= refused_last, uid))
    since.update(dict.fromkeys(new[: MOST_REMEMBERED - len(since)], now))
    return since
