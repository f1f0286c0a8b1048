"""Decides which waiting job starts next. Pure: no clock, no I/O.

Order: the highest priority first, then the lowest ticket (first in, first out).

A job is a *candidate* if its dependencies allow its start, its group and the queue are not paused, its group is below its limit, and
the idle machine is known and could run it. The first candidate is the *head*.

1. If the free amounts are sufficient for the head, the head starts.
2. Otherwise its whole demand is reserved: of each resource, what the head needs, or everything if less is free. Another candidate may
   start only within the rest, in order.

So no start behind the head takes anything that the head needs: the head starts at the same moment as without these starts, and
every candidate becomes the head once those before it have started. Jobs of one group with one demand start strictly in order.

`lanes.py` keeps the candidates in order, `dependency_graph.py` the blocked jobs, `waits.py` has the reasons for waiting.
"""

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from jobd.jobs.admission.scheduling.dependency_graph import OWN_PAUSE, DependencyEnd, DependencyGraph
from jobd.jobs.admission.scheduling.entries import Holding, Waiting
from jobd.jobs.admission.scheduling.groups import Groups, GroupSettings
from jobd.jobs.admission.scheduling.lanes import Key, Lane, Lanes, key_of
from jobd.jobs.admission.scheduling.resources import NOTHING, Amounts, Demand, Machine
from jobd.jobs.admission.scheduling.waits import Wait, WaitReason


class Start(NamedTuple):
    """A job that starts now, with the GPUs that it holds alone until `release`."""

    uid: str
    gpus: tuple[str, ...]


class Scheduler:
    """Waiting jobs and jobs that hold their resources, by uid. A change takes effect with the next `start_next`."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._total = self._free = machine.amounts
        self._waiting: dict[str, Waiting] = {}
        self._order: list[Key] = []
        self._lanes = Lanes()
        self._graph = DependencyGraph()
        self._groups = Groups()
        self._holding: dict[str, Holding] = {}
        self._leased: dict[str, str] = {}
        """GPU -> the job that holds it."""

    # --- what is

    @property
    def waiting(self) -> int:
        """How many jobs wait."""
        return len(self._waiting)

    @property
    def running(self) -> int:
        """How many jobs hold their resources."""
        return len(self._holding)

    @property
    def machine(self) -> Machine:
        """What jobs may use at once."""
        return self._machine

    @property
    def groups(self) -> Groups:
        """The groups' settings and numbers of jobs; read only."""
        return self._groups

    def is_waiting(self, uid: str) -> bool:
        """Returns whether the job waits."""
        return uid in self._waiting

    def gpus_of(self, uid: str) -> tuple[str, ...] | None:
        """Returns the GPUs of a job that holds its resources, None for any other job."""
        holding = self._holding.get(uid)
        return None if holding is None else holding.gpus

    def position(self, uid: str) -> int | None:
        """Returns the job's place in the order of all waiting jobs, from 1; None if the job does not wait."""
        waiting = self._waiting.get(uid)
        return None if waiting is None else bisect_left(self._order, waiting.key) + 1

    def ahead_of(self, uid: str) -> tuple[int, int] | None:
        """Returns the priority and the ticket that put the job before all waiting jobs; None if no other job is before it."""
        if not self._order or self._order[0].uid == uid:
            return None
        first = self._order[0]
        return -first.rank, first.ticket - 1

    def wait_of(self, uid: str) -> Wait | None:
        """Returns why the job waits; None if the job does not wait."""
        waiting = self._waiting.get(uid)
        if waiting is None:
            return None
        if uid in self._graph:
            return Wait(WaitReason.JOB_PAUSED if self._graph.is_paused(uid) else WaitReason.DEPENDENCY)
        return self._wait(waiting.lane)

    def waits(self) -> Iterator[tuple[str, WaitReason, int]]:
        """Yields the numbers of waiting jobs by group and reason, in parts."""
        paused = Counter(self._waiting[uid].lane.group for uid in self._graph.dependents(OWN_PAUSE))
        for group, numbers in self._groups.numbers():
            if paused[group]:
                yield group, WaitReason.JOB_PAUSED, paused[group]
            if numbers.blocked > paused[group]:
                yield group, WaitReason.DEPENDENCY, numbers.blocked - paused[group]
        for lane, count in self._lanes.lanes():
            yield lane.group, self._wait(lane).reason, count

    # --- changes

    def set_machine(self, machine: Machine) -> None:
        """Sets what jobs may use. Running jobs keep what they hold, even beyond that."""
        self._machine = machine
        self._total = machine.amounts
        used = NOTHING
        for uid, holding in self._holding.items():
            amounts = self._held_amounts(holding.demand, holding.gpus)
            self._holding[uid] = holding._replace(amounts=amounts)
            used = used.plus(amounts)
        self._free = self._total.minus(used)

    def set_paused(self, paused: bool, freezes: bool = False) -> None:
        """Pauses or resumes all groups. `freezes`: also the running workers."""
        self._groups.all_paused, self._groups.all_frozen = paused, freezes

    def set_group(self, name: str, settings: GroupSettings | None) -> None:
        """Sets the limit and the pause of a group; None: no limit, not paused."""
        self._groups.set(name, settings)
        self._open_or_close(name)

    def add(self, uid: str, group: str, priority: int, ticket: int, demand: Demand) -> None:
        """Adds a job that waits. A job that waits or holds its resources already stays as it is."""
        if uid in self._waiting or uid in self._holding:
            return
        waiting = Waiting(key_of(priority, ticket, uid), Lane(group, demand))
        self._waiting[uid] = waiting
        insort(self._order, waiting.key)
        self._groups.count(group, waiting=1)
        self._lanes.add(waiting.key, waiting.lane)

    def block(self, uid: str, dependencies: list[str]) -> None:
        """Sets the jobs whose ends a waiting job still waits for."""
        waiting = self._waiting.get(uid)
        if waiting is None:
            return
        was = uid in self._graph
        self._graph.block(uid, dependencies)
        now = uid in self._graph
        if now != was:
            self._groups.count(waiting.lane.group, blocked=1 if now else -1)
            if now:
                self._lanes.remove(waiting.key, waiting.lane)
            else:
                self._lanes.add(waiting.key, waiting.lane)

    def dependency_ended(self, uid: str, status: str) -> list[str]:
        """Takes in the end of a job; returns the jobs that wait for the end. They stay blocked until `block` leaves the job out."""
        return self._graph.ended(uid, status)

    def news(self, uid: str) -> DependencyEnd | None:
        """Returns an end of a dependency that the waiting job has not taken in yet."""
        return self._graph.news(uid)

    def reorder(self, uid: str, priority: int, ticket: int) -> None:
        """Changes a waiting job's place in the order."""
        waiting = self._waiting.get(uid)
        key = key_of(priority, ticket, uid)
        if waiting is None or waiting.key == key:
            return
        del self._order[bisect_left(self._order, waiting.key)]
        insort(self._order, key)
        self._waiting[uid] = waiting._replace(key=key)
        if uid not in self._graph:
            self._lanes.remove(waiting.key, waiting.lane)
            self._lanes.add(key, waiting.lane)

    def hold(self, uid: str, group: str, demand: Demand, gpus: tuple[str, ...]) -> None:
        """Takes the resources of a job that was started before a restart, even beyond what there is."""
        if uid not in self._holding:
            self._take(uid, Lane(group, demand), gpus)

    def release(self, uid: str) -> None:
        """Removes the job: from those that wait, or with its resources. Safe to repeat."""
        self._stop_waiting(uid)
        holding = self._holding.pop(uid, None)
        if holding is None:
            return
        self._free = self._free.plus(holding.amounts)
        for gpu in holding.gpus:
            if self._leased.get(gpu) == uid:
                del self._leased[gpu]
        self._groups.count(holding.group, running=-1)
        self._open_or_close(holding.group)

    def start_next(self) -> Start | None:
        """Starts the next job, if one may start now."""
        chosen = self._choose()
        if chosen is None:
            return None
        key, lane = chosen
        count = lane.demand.amounts(len(self._machine.gpus)).gpus
        gpus = tuple(gpu for gpu in self._machine.gpus if gpu not in self._leased)[:count]
        self._stop_waiting(key.uid)
        self._take(key.uid, lane, gpus)
        return Start(key.uid, gpus)

    # --- the rule

    def _choose(self) -> tuple[Key, Lane] | None:
        if not self._machine.is_known or self._groups.all_paused or self._free.places <= 0:
            return None
        head: Amounts | None = None
        room = self._free
        refused: set[Demand] = set()  # the room only shrinks: what did not fit does not fit later
        for front in self._lanes.fronts():
            demand = front[1].demand
            if demand in refused:
                continue
            need = self._need(demand)
            if need.fit(room):
                return front
            refused.add(demand)
            if head is None and need.fit(self._total):
                head = need
                room = room.without(head)
                if room.places == 0 or room.memory_mb == 0:
                    return None  # every job needs a place and memory
        return None

    def _need(self, demand: Demand) -> Amounts:
        return demand.amounts(len(self._machine.gpus))

    def _wait(self, lane: Lane) -> Wait:
        """Returns why the jobs of a lane wait that are not blocked: the same for all of them."""
        settings = self._groups.settings(lane.group)
        need = self._need(lane.demand)
        if self._groups.all_paused:
            return Wait(WaitReason.PAUSED)
        if settings.paused:
            return Wait(WaitReason.GROUP_PAUSED)
        if not self._machine.is_known:
            return Wait(WaitReason.ENGINE)
        if not need.fit(self._total):
            return Wait(WaitReason.MACHINE)
        if settings.limit is not None and self._groups.running(lane.group) >= settings.limit:
            return Wait(WaitReason.GROUP_LIMIT, need=settings.limit)
        if self._free.places <= 0:
            return Wait(WaitReason.PLACE)
        free = self._free.without(NOTHING)
        if need.gpus > free.gpus:
            return Wait(WaitReason.GPUS, need=need.gpus, free=free.gpus)
        if need.memory_mb > free.memory_mb:
            return Wait(WaitReason.MEMORY, need=need.memory_mb, free=free.memory_mb)
        if need.millicpus > free.millicpus:
            return Wait(WaitReason.CPUS, need=need.millicpus, free=free.millicpus)
        return Wait(WaitReason.TURN)

    # --- the books

    def _take(self, uid: str, lane: Lane, gpus: tuple[str, ...]) -> None:
        amounts = self._held_amounts(lane.demand, gpus)
        self._holding[uid] = Holding(lane.group, lane.demand, gpus, amounts)
        self._free = self._free.minus(amounts)
        for gpu in gpus:
            self._leased[gpu] = uid
        self._groups.count(lane.group, running=1)
        self._open_or_close(lane.group)

    def _held_amounts(self, demand: Demand, gpus: tuple[str, ...]) -> Amounts:
        """Returns what a running job takes of the machine; a GPU that the machine no longer has counts nothing."""
        present = sum(gpu in self._machine.gpus for gpu in gpus)
        return Amounts(1, demand.millicpus, demand.memory_mb, present)

    def _stop_waiting(self, uid: str) -> None:
        waiting = self._waiting.pop(uid, None)
        if waiting is None:
            return
        del self._order[bisect_left(self._order, waiting.key)]
        blocked = uid in self._graph
        if blocked:
            self._graph.remove(uid)
        else:
            self._lanes.remove(waiting.key, waiting.lane)
        self._groups.count(waiting.lane.group, waiting=-1, blocked=-1 if blocked else 0)

    def _open_or_close(self, group: str) -> None:
        if self._groups.may_start(group):
            self._lanes.open(group)
        else:
            self._lanes.close(group)
