"""What is let go: containers and workspaces after `JOB_RETENTION`, records after `HISTORY_RETENTION`, leftovers after a grace.

Owns the timer of `MAINTENANCE_INTERVAL`, which also lets every job look at its containers: the third way, beside boot and
reconnect, into the same reconcile. Never touches a job that has not ended, nor what does not bear this jobd's labels.
"""

import logging
from dataclasses import dataclass
from datetime import timedelta

from jobd.clock import Clock
from jobd.jobs import facts as f
from jobd.jobs.ledger import Ledger
from jobd.jobs.machine import step
from jobd.jobs.orchestrator import EngineError, Hint, JobRef, Orchestrator, RefusedByEngine
from jobd.jobs.record import decode_record
from jobd.jobs.roster import Roster
from jobd.store.errors import StoreError
from jobd.store.rows import JobRow
from jobd.store.store import Store

BATCH = 200

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
        ledger: Ledger,
        roster: Roster,
        engine: Orchestrator,
        clock: Clock,
        settings: RetentionSettings,
    ) -> None:
        self._store = store
        self._ledger = ledger
        self._roster = roster
        self._engine = engine
        self._clock = clock
        self._settings = settings
        self._leftover_since: dict[str, float] = {}
        """By uid, in monotonic seconds: what belongs to no job, and since when that is known."""

    async def run(self) -> None:
        """Sweeps for ever, with the interval between two rounds."""
        while True:
            await self._clock.sleep(self._settings.interval_s)
            try:
                self._roster.hint(Hint(None, action="timer"))
                await self.sweep()
                await self.remove_leftovers()
            except (EngineError, StoreError) as error:
                log.warning("maintenance put off", extra={"action": "sweep", "error": str(error)})

    async def sweep(self) -> None:
        """Removes what is over its time. Safe to repeat.

        Raises:
            EngineUnavailable, StoreError: the rest is done in the next round.
        """
        now = self._clock.now()
        before = now - timedelta(seconds=self._settings.job_retention_s)
        # One job that cannot be removed keeps no other from being.
        while any([await self._cleaned(row) for row in await self._store.ended_live_rows(before, BATCH)]):
            pass
        await self._store.purge_hidden(BATCH)
        history = now - timedelta(seconds=self._settings.history_retention_s)
        while await self._store.purge_ended_before(history, BATCH):
            pass

    async def remove_leftovers(self) -> None:
        """Removes containers and volumes of this jobd that have belonged to no job for the time between two rounds.

        Raises:
            EngineUnavailable, StoreError: safe to repeat.
        """
        now, before = self._clock.monotonic(), self._leftover_since
        refs = await self._engine.refs()
        left = [ref for ref in refs if await self._is_leftover(ref)]
        self._leftover_since = {ref.uid: before.get(ref.uid, now) for ref in left}
        for ref in left:
            if now - self._leftover_since[ref.uid] < self._settings.interval_s:
                continue
            try:
                await self._engine.remove(ref)
            except RefusedByEngine as error:
                fields = {"job_id": ref.id, "action": "remove-leftover", "error": str(error)}
                log.warning("leftover not removed yet", extra=fields)
            else:
                log.info("leftover removed", extra={"job_id": ref.id, "action": "remove-leftover"})

    async def _is_leftover(self, ref: JobRef) -> bool:
        row = await self._store.get_by_uid(ref.uid)
        return row is None or (not row.live and self._roster.get(ref.uid) is None)

    async def _cleaned(self, row: JobRow) -> bool:
        record = decode_record(row.record)
        try:
            await self._engine.remove(JobRef(record.uid, record.id, record.attempt))
        except RefusedByEngine as error:
            fields = {"job_id": record.id, "action": "clean", "error": str(error)}
            log.warning("job not removed yet", extra=fields)
            return False
        # The row may have changed since it was read, by a delete for instance: the fact counts for what is stored now.
        await self._ledger.transition(
            record.uid, lambda stored, spec: step(stored, spec, f.Cleaned(), self._clock.now())
        )
        return True
