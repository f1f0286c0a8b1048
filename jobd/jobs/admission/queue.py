"""Admission: tells each waiting job when the job may start.

Owns the waits of the supervisors and when the scheduler decides; `scheduling/scheduler.py` decides which job is next, `slot.py` says
when a job enters and leaves. A job holds its resources from its admission to its end, also over restarts of jobd (`occupy`). Not
thread-safe: the queue belongs to the event loop.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from jobd.jobs.admission.scheduling.dependency_graph import OWN_PAUSE, DependencyEnd
from jobd.jobs.admission.scheduling.groups import GroupNumbers, GroupSettings
from jobd.jobs.admission.scheduling.resources import Machine, demand_of
from jobd.jobs.admission.scheduling.scheduler import Scheduler
from jobd.jobs.admission.scheduling.waits import Wait, WaitReason
from jobd.jobs.port.model import EngineFacts
from jobd.jobs.record.record import Record
from jobd.jobs.record.scheduling import ticket_at

MIB = 1024 * 1024


class AdmissionQueue:
    """`limit` jobs at once, within the engine's cores and memory; the rest waits. Until the engine has told these, all jobs wait: an
    admission is never taken back. `gpus`: the ids of the machine's devices.
    """

    def __init__(self, limit: int, gpus: tuple[str, ...] = ()) -> None:
        self._scheduler = Scheduler(Machine(limit, gpus=gpus, is_known=False))
        self._waiters: dict[str, asyncio.Future[None]] = {}
        self._last_ticket = 0
        self._is_rebuilding = False

    @property
    def limit(self) -> int:
        """How many jobs may run at once."""
        return self._scheduler.machine.places

    @limit.setter
    def limit(self, limit: int) -> None:
        self._scheduler.set_machine(self._scheduler.machine._replace(places=limit))
        self._admit()

    @property
    def waiting(self) -> int:
        """How many jobs wait."""
        return self._scheduler.waiting

    @property
    def running(self) -> int:
        """How many jobs hold a place."""
        return self._scheduler.running

    @property
    def paused(self) -> bool:
        """True if no job of any group may start."""
        return self._scheduler.groups.all_paused

    @property
    def freezes_all(self) -> bool:
        """True if the workers of all groups are paused too."""
        return self._scheduler.groups.all_frozen

    def freezes(self, group: str) -> Wait | None:
        """Returns the pause that holds the running workers of this group, if any."""
        if self.freezes_all:
            return Wait(WaitReason.PAUSED)
        return Wait(WaitReason.GROUP_PAUSED) if self.group_settings(group).freezes else None

    def set_paused(self, paused: bool, freezes: bool = False) -> None:
        """Pauses or resumes all groups; with `freezes` also their running workers, whose supervisors must be woken."""
        self._scheduler.set_paused(paused, freezes)
        self._admit()

    def set_group(self, name: str, settings: GroupSettings | None) -> None:
        """Sets the limit and the pause of a group; None: no limit, not paused. If `freezes` changes, the supervisors must be woken."""
        self._scheduler.set_group(name, settings)
        self._admit()

    def group_names(self) -> list[str]:
        """Returns the groups that have settings or jobs, sorted."""
        return self._scheduler.groups.names()

    def group_settings(self, name: str) -> GroupSettings:
        """Returns a group's settings."""
        return self._scheduler.groups.settings(name)

    def group_numbers(self, name: str) -> GroupNumbers:
        """Returns the numbers of a group's jobs; read only."""
        return self._scheduler.groups.number(name)

    def take_engine_facts(self, facts: EngineFacts) -> None:
        """Sets what jobs may use together: the cores and the memory of the engine's host."""
        machine = self._scheduler.machine._replace(
            millicpus=facts.cpus * 1000, memory_mb=facts.memory_bytes // MIB, is_known=True
        )
        if machine != self._scheduler.machine:
            self._scheduler.set_machine(machine)
            self._admit()

    @contextmanager
    def rebuilding(self) -> Iterator[None]:
        """Admits no job until the end of the block: jobs from before a restart enter in any order, and start in the queue's order."""
        self._is_rebuilding = True
        try:
            yield
        finally:
            self._is_rebuilding = False
            self._admit()

    def next_ticket(self, now: datetime) -> int:
        """Returns a ticket behind those of all jobs that have entered so far, also if the clock was set back."""
        self._last_ticket = max(self._last_ticket + 1, ticket_at(now))
        return self._last_ticket

    def occupy(self, record: Record) -> None:
        """Takes the resources of a job that was admitted before a restart, even beyond what there is."""
        scheduling = record.scheduling
        demand = demand_of(scheduling.cpu, scheduling.memory_mb, scheduling.gpus)
        gpus = tuple(record.setup.gpus) if record.setup else ()
        self._scheduler.hold(record.uid, scheduling.group, demand, gpus)

    def enter(self, record: Record) -> None:
        """Puts a job into the queue; a job that already waits or holds its resources keeps its position."""
        scheduling = record.scheduling
        demand = demand_of(scheduling.cpu, scheduling.memory_mb, scheduling.gpus)
        self._last_ticket = max(self._last_ticket, record.ticket)
        self._scheduler.add(record.uid, scheduling.group, scheduling.priority, record.ticket, demand)
        self.update(record)

    def update(self, record: Record) -> None:
        """Takes in a change of a waiting job's record."""
        self._scheduler.reorder(record.uid, record.scheduling.priority, record.ticket)
        own_pause = [OWN_PAUSE] if record.paused else []
        self._scheduler.block(record.uid, [*own_pause, *(one.uid for one in record.scheduling.after)])
        self._admit()

    def job_ended(self, uid: str, status: str) -> None:
        """Tells the jobs that wait for the end of this job; `status` is final."""
        for dependent in self._scheduler.dependency_ended(uid, status):
            self._wake(dependent)

    @property
    def gpus(self) -> tuple[str, ...]:
        """The ids of the machine's GPUs."""
        return self._scheduler.machine.gpus

    def gpus_of(self, uid: str) -> tuple[str, ...] | None:
        """Returns the GPUs of a job that holds its resources; None for any other job."""
        return self._scheduler.gpus_of(uid)

    def is_admitted(self, uid: str) -> bool:
        """Returns whether the job holds its resources, also before its admission is stored."""
        return self.gpus_of(uid) is not None

    def news(self, uid: str) -> DependencyEnd | None:
        """Returns the end of a dependency that the waiting job's record has not taken in yet."""
        return self._scheduler.news(uid)

    async def changed(self, uid: str) -> None:
        """Returns once the job holds its resources, has `news`, or has left the queue. One task waits for each job."""
        if self._scheduler.is_waiting(uid) and self.news(uid) is None:
            waiter = self._waiters[uid] = asyncio.get_running_loop().create_future()
            try:
                await waiter
            finally:
                if self._waiters.get(uid) is waiter:
                    del self._waiters[uid]

    def leave(self, uid: str) -> None:
        """Releases the job's place in the queue, or its resources. Safe to repeat."""
        self._scheduler.release(uid)
        self._wake(uid)
        self._admit()

    def position(self, uid: str) -> int | None:
        """Returns the job's place in the queue, from 1; None if the job does not wait."""
        return self._scheduler.position(uid)

    def waits(self) -> Iterator[tuple[str, str, int]]:
        """Yields the numbers of waiting jobs by group and reason, in parts."""
        yield from self._scheduler.waits()

    def ahead_of(self, uid: str) -> tuple[int, int] | None:
        """Returns the priority and the ticket that put the job before all others; None if no other job is before it."""
        return self._scheduler.ahead_of(uid)

    def wait_of(self, uid: str) -> Wait | None:
        """Returns why the job waits; None if the job does not wait."""
        return self._scheduler.wait_of(uid)

    def _admit(self) -> None:
        while not self._is_rebuilding and (start := self._scheduler.start_next()) is not None:
            self._wake(start.uid)

    def _wake(self, uid: str) -> None:
        waiter = self._waiters.pop(uid, None)
        if waiter is not None and not waiter.done():
            waiter.set_result(None)
