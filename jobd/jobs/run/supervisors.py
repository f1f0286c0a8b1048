"""The supervisors that run: one for each job that is not over, found by uid.

Owns their tasks. A fault in one supervisor is logged and the supervisor is started again from the stored record, for as long as
the job asks for anything; it never touches another job.
"""

import asyncio
import logging
from collections.abc import Iterator

from jobd.jobs.port.hints import Connected, Disconnected, Hint
from jobd.jobs.run.dependencies import Dependencies
from jobd.jobs.run.supervisor import Supervisor
from jobd.jobs.state.record import Record
from jobd.jobs.storage import JobRows
from jobd.jobs.stored import record_of
from jobd.store.errors import UnreadableJob

AGAIN_AFTER_FAULT_S = 5.0

log = logging.getLogger(__name__)


class Supervisors:
    """Starts and finds supervisors. `run` owns their tasks until it is cancelled."""

    def __init__(self, deps: Dependencies, store: JobRows) -> None:
        self._deps = deps
        self._store = store
        self._supervisors: dict[str, Supervisor] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._stopped = False

    def __len__(self) -> int:
        return len(self._supervisors)

    def __iter__(self) -> Iterator[Supervisor]:
        return iter(list(self._supervisors.values()))

    def get(self, uid: str) -> Supervisor | None:
        """Returns the job's supervisor, or None where nothing is left to do for it."""
        return self._supervisors.get(uid)

    def get_or_make(self, record: Record) -> Supervisor:
        """Returns the supervisor that runs for the job, or a new one that does not run yet."""
        return self._supervisors.get(record.uid) or Supervisor(record, self._deps)

    def start_all(self, records: list[Record]) -> None:
        """Starts a supervisor for each job of before a restart: jobs that were admitted keep their places, the rest queues in its order."""
        for record in sorted(records, key=lambda record: record.phase == "queued"):
            self.start(self.get_or_make(record))

    def start(self, supervisor: Supervisor) -> None:
        """Gives the job its place and lets the supervisor run, unless the job has one that runs, or jobd ends: then the next start takes
        the job up.
        """
        uid = supervisor.record.uid
        if uid not in self._supervisors and not self._stopped:
            supervisor.take_place()
            self._supervisors[uid] = supervisor
            self._tasks[uid] = asyncio.create_task(
                self._supervise(supervisor), name=f"job {supervisor.record.id}"
            )

    def hint(self, hint: Hint) -> None:
        """Has the job that the hint is of, or all of them, observe their containers again."""
        uid = None if isinstance(hint, Connected | Disconnected) else hint.uid
        if uid is None:
            for supervisor in self:
                supervisor.hint(hint)
        elif uid in self._supervisors:
            self._supervisors[uid].hint(hint)

    async def removed(self, limit_s: float) -> int:
        """Waits until the containers of deleted jobs are gone, `limit_s` at most. Returns how many jobs are left: the next start of jobd
        removes these.
        """
        deleted = {self._tasks[s.record.uid] for s in self if s.record.is_deleted}
        if deleted:
            await asyncio.wait(deleted, timeout=limit_s)
        return sum(not task.done() for task in deleted)

    async def stop(self) -> None:
        """Ends all supervisors; the jobs themselves go on and are found again at the next start."""
        self._stopped = True
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _supervise(self, supervisor: Supervisor) -> None:
        uid = supervisor.record.uid
        try:
            while True:
                try:
                    await supervisor.run()
                except UnreadableJob as error:
                    fields = {"job_id": supervisor.record.id, "action": "supervise", "error": str(error)}
                    log.error("a job cannot be read", extra=fields)
                    return
                except Exception:
                    log.exception(
                        "supervisor failed, will start again", extra={"job_id": supervisor.record.id}
                    )
                    await self._begin_again(supervisor)
                    continue  # also where nothing is asked for any more: what a run does at its end was not done
                # A request that came while the run was ending is still to be carried out. From here to the removal nothing
                # is awaited, so a later request finds no supervisor and starts another.
                if supervisor.settled:
                    return
        finally:
            self._supervisors.pop(uid, None)
            self._tasks.pop(uid, None)

    async def _begin_again(self, supervisor: Supervisor) -> None:
        """Returns once the supervisor may run again, on the stored record. Nothing but jobd's own end keeps it from that."""
        while True:
            await self._deps.clock.sleep(AGAIN_AFTER_FAULT_S)
            before = supervisor.record
            try:
                stored = await self._stored(before)
            except Exception:
                log.exception("record not read, will try again", extra={"job_id": before.id})
                continue
            # What was stored while the row was read, such as a user's request, is newer than the row.
            supervisor.begin_again(stored if supervisor.record is before else supervisor.record)
            return

    async def _stored(self, record: Record) -> Record:
        row = await self._store.get_by_uid(record.uid)
        try:
            return record_of(row) if row else record
        except UnreadableJob:
            return record  # read before the damage; the next change stores the whole record again
