"""Removes containers and workspaces after `JOB_RETENTION`, records after `HISTORY_RETENTION`, and orphans (`orphans.py`).

Owns the timer of `MAINTENANCE_INTERVAL`. Each round also makes every supervisor inspect its containers, as a boot and a reconnect
do. Never touches a job that has not ended, nor a container or volume without this jobd's labels.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from jobd.clock import Clock
from jobd.jobs.job_repository import JobRepository
from jobd.jobs.port.errors import EngineError, RefusedByEngine
from jobd.jobs.port.hints import Changed
from jobd.jobs.port.model import JobRef
from jobd.jobs.port.protocols import Upkeep
from jobd.jobs.retention.kept_outputs import KeptOutputs
from jobd.jobs.retention.orphans import Orphans
from jobd.jobs.run.supervisors import Supervisors
from jobd.jobs.state import facts
from jobd.jobs.state.machine import step
from jobd.jobs.storage import RetentionStore
from jobd.jobs.stored import record_of
from jobd.jobs.workspace_holds import WorkspaceHolds
from jobd.store.errors import StoreError, UnreadableJob
from jobd.store.tables.rows import FIRST, JobRow

BATCH = 200
REMOVED_AT_ONCE = 4
"""More of them would slow down the jobs that run; one after the other, a cluster with many short jobs would keep ever more ended ones."""
CLOCK_TOLERANCE_S = 1.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RetentionSettings:
    """In seconds."""

    job_retention_s: float
    history_retention_s: float
    interval_s: float


class Retention:
    """`run` is the timer; `sweep` is one round of it. `each_round`: what else is removed in each round."""

    def __init__(
        self,
        store: RetentionStore,
        repository: JobRepository,
        supervisors: Supervisors,
        engine: Upkeep,
        outputs: KeptOutputs,
        holds: WorkspaceHolds,
        clock: Clock,
        settings: RetentionSettings,
        each_round: Callable[[], Awaitable[None]],
    ) -> None:
        self._store = store
        self._repository = repository
        self._supervisors = supervisors
        self._engine = engine
        self._outputs = outputs
        self._holds = holds
        self._clock = clock
        self.settings = settings
        self._each_round = each_round
        self.orphans = Orphans(store, supervisors, engine, clock, settings.interval_s)
        self._round_requested = asyncio.Event()
        self._offset = clock.offset()

    async def run(self) -> None:
        """Runs rounds for ever, an interval apart. Before the first round, every row is checked for damage; each round checks some rows."""
        while await self._check_rows():
            pass
        while True:
            await self._pause()
            await self._check_rows()
            try:
                self._supervisors.hint(Changed())
                await self.sweep()
                await self.orphans.remove()
                await self._each_round()
            except (EngineError, StoreError) as error:
                log.warning("maintenance postponed", extra={"action": "sweep", "error": str(error)})

    async def _check_rows(self) -> bool:
        try:
            return await self._store.scan_for_damage()
        except StoreError as error:
            log.warning("maintenance postponed", extra={"action": "check-rows", "error": str(error)})
            return False

    async def _pause(self) -> None:
        """Returns after the interval, or when a round is requested."""
        sleeper = asyncio.ensure_future(self._clock.sleep(self.settings.interval_s))
        requested = asyncio.ensure_future(self._round_requested.wait())
        try:
            await asyncio.wait({sleeper, requested}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._round_requested.clear()
            sleeper.cancel()
            requested.cancel()

    def change_settings(self, settings: RetentionSettings) -> None:
        """Uses other settings from now on. A round starts if they differ."""
        if settings != self.settings:
            self.settings = settings
            self._round_requested.set()

    async def sweep(self) -> None:
        """Removes what is older than its retention. Safe to repeat.

        Raises:
            EngineUnavailable, StoreError: the next round does the rest.
        """
        self._check_clock()
        await self._store.save_observed_time()
        try:
            await self._remove_containers()
        except EngineError:
            await self._remove_records()  # removing old records frees disk space even without an engine
            raise
        await self._remove_records()

    async def delete_unreadable(self, row: JobRow) -> None:
        """Deletes a job whose record cannot be read, and starts a round, which removes its containers and volumes."""
        await self._store.discard(row.number)
        self.orphans.skip_grace(row.uid)
        self._round_requested.set()

    async def _remove_containers(self) -> None:
        # A job that cannot be removed or read does not block the others.
        cursor = FIRST
        while True:
            page = await self._store.ended_live_rows(self.settings.job_retention_s, BATCH, cursor)
            for first in range(0, len(page.jobs), REMOVED_AT_ONCE):
                await self._remove_together(page.jobs[first : first + REMOVED_AT_ONCE])
            if page.cursor is None:
                return
            cursor = page.cursor

    async def _remove_records(self) -> None:
        while await self._store.expire(self.settings.history_retention_s, BATCH):
            pass
        await self._store.remove_hidden()
        await self._remove_outputs()
        await self._store.vacuum()

    async def _remove_outputs(self) -> None:
        """Removes the kept outputs of jobs without a record."""
        uids = await self._outputs.uids()
        for uid in uids - (await self._store.liveness(uids)).keys():
            if self._supervisors.get(uid) is None:
                await self._outputs.remove(uid)

    def _check_clock(self) -> None:
        """Logs that the wall clock was set. A set clock removes nothing: retention counts by the clock since boot."""
        offset, before = self._clock.offset(), self._offset
        self._offset = offset
        if abs(offset - before) > CLOCK_TOLERANCE_S:
            log.warning(
                "the wall clock was set", extra={"action": "sweep", "by_s": round(offset - before, 1)}
            )

    async def _remove_together(self, rows: list[JobRow]) -> None:
        """Awaits the removal of all these jobs, then raises the first error."""
        removals = (self._remove_containers_of(row) for row in rows)
        for done in await asyncio.gather(*removals, return_exceptions=True):
            if done is not None:
                raise done

    async def _remove_containers_of(self, row: JobRow) -> None:
        try:
            record = record_of(row)
            taker = record.taken_by
            if taker is not None and (await self._store.liveness([taker.uid])).get(taker.uid):
                return  # the workspace is removed after the job that has taken it over
            if not self._holds.begin_removal(row.uid):
                return  # another job needs the workspace; a later round removes it
            await self._engine.remove(JobRef(record.uid, record.id, record.attempt.number))
            # A delete, for instance, may have changed the row since this read: the fact applies to the stored row.
            await self._repository.transition(
                record.uid, lambda stored, spec: step(stored, spec, facts.Cleaned(), self._clock.now())
            )
            self._holds.end_removal(row.uid)
            self._holds.release(row.uid)
        except (RefusedByEngine, UnreadableJob) as error:
            fields = {"job_id": row.id, "action": "remove-containers", "error": str(error)}
            log.warning("the containers of an ended job are not removed yet", extra=fields)
