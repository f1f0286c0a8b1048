"""The registry of running supervisors: one per unfinished job, by uid.

Owns their tasks. After a fault in one supervisor, jobd logs the fault and restarts the supervisor from the stored record while the
job asks for an action; other jobs continue.
"""

import asyncio
import logging
from collections.abc import Iterator

from jobd.jobs.port.hints import Connected, Disconnected, Hint
from jobd.jobs.record.parts import Started
from jobd.jobs.record.record import Record
from jobd.jobs.run.dependencies import Dependencies
from jobd.jobs.run.supervisor import Supervisor
from jobd.jobs.state import freezing
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
        self._by_id: dict[str, Supervisor] = {}
        """The latest supervisor of each id."""
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._stopped = False

    def __len__(self) -> int:
        return len(self._supervisors)

    def __iter__(self) -> Iterator[Supervisor]:
        return iter(list(self._supervisors.values()))

    def get(self, uid: str) -> Supervisor | None:
        """Returns the job's supervisor; None if the job asks for no action."""
        return self._supervisors.get(uid)

    def get_by_id(self, job_id: str) -> Supervisor | None:
        """Returns the supervisor of the latest job with this id; None if that job asks for no action."""
        return self._by_id.get(job_id)

    def get_or_make(self, record: Record) -> Supervisor:
        """Returns the job's running supervisor, or a new supervisor that does not run yet."""
        return self._supervisors.get(record.uid) or Supervisor(record, self._deps)

    def start_all(self, records: list[Record]) -> None:
        """Starts a supervisor for each job from before a restart: admitted jobs keep their places, the others queue as before."""
        with self._deps.queue.rebuilding():
            for record in records:
                self.start(self.get_or_make(record))

    def start(self, supervisor: Supervisor) -> None:
        """Gives the job its place and runs the supervisor, unless the job has a running supervisor, or jobd ends: then the next start
        of jobd continues the job.
        """
        uid = supervisor.record.uid
        if uid not in self._supervisors and not self._stopped:
            supervisor.take_slot()
            self._supervisors[uid] = self._by_id[supervisor.record.id] = supervisor
            self._tasks[uid] = asyncio.create_task(
                self._supervise(supervisor), name=f"job {supervisor.record.id}"
            )

    def hint(self, hint: Hint) -> None:
        """Passes the hint to its job's supervisor, or to all supervisors."""
        uid = None if isinstance(hint, Connected | Disconnected) else hint.uid
        if uid is None:
            for supervisor in self:
                supervisor.hint(hint)
        elif uid in self._supervisors:
            self._supervisors[uid].hint(hint)

    @property
    def frozen(self) -> int:
        """How many workers are frozen."""
        return sum(freezing.is_frozen(supervisor.record.worker) for supervisor in self)

    def frozen_s(self, record: Record) -> float:
        """Returns for how many seconds the job's worker has been frozen so far."""
        worker = record.worker
        if isinstance(worker, Started):
            return freezing.frozen_s(worker, self._deps.clock.now())
        return record.frozen_s

    def wake(self) -> None:
        """Wakes all supervisors: a pause of a group or of all jobs has changed."""
        for supervisor in self:
            supervisor.wake()

    async def removed(self, limit_s: float) -> int:
        """Waits until the containers of deleted jobs are gone, `limit_s` at most. Returns how many jobs are left: the next start of jobd
        removes these.
        """
        deleted = {self._tasks[s.record.uid] for s in self if s.record.is_deleted}
        if deleted:
            await asyncio.wait(deleted, timeout=limit_s)
        return sum(not task.done() for task in deleted)

    async def stop(self) -> None:
        """Ends all supervisors; the containers continue, and the next start of jobd finds the jobs again."""
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
                        "the supervisor failed; jobd starts it again", extra={"job_id": supervisor.record.id}
                    )
                    await self._begin_again(supervisor)
                    continue  # even without a next action: the end of a run was not executed
                # A request that came while the run was ending still needs a run. Nothing is awaited from here to the removal,
                # so a later request finds no supervisor and starts a new one.
                if supervisor.settled:
                    return
        finally:
            self._supervisors.pop(uid, None)
            self._tasks.pop(uid, None)
            if self._by_id.get(supervisor.record.id) is supervisor:  # a later job may have the id
                del self._by_id[supervisor.record.id]

    async def _begin_again(self, supervisor: Supervisor) -> None:
        """Returns once the supervisor may run again, on the stored record. Only jobd's own end prevents that."""
        while True:
            await self._deps.clock.sleep(AGAIN_AFTER_FAULT_S)
            before = supervisor.record
            try:
                stored = await self._stored(before)
            except Exception:
                log.exception("the record cannot be read; jobd tries again", extra={"job_id": before.id})
                continue
            # A change that was stored while the row was read, such as a user's request, is newer than the row.
            supervisor.begin_again(stored if supervisor.record is before else supervisor.record)
            return

    async def _stored(self, record: Record) -> Record:
        row = await self._store.get_by_uid(record.uid)
        try:
            return record_of(row) if row else record
        except UnreadableJob:
            return record  # read before the damage; the next change stores the whole record again
