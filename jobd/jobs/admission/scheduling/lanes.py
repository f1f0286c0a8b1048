"""The jobs that may start, in their order. Pure.

A lane has the jobs of one group with one demand. All of them wait for the same thing, so only the first job of each lane, its front,
is a candidate: a decision looks at the fronts, however many jobs wait. Sorted lists give positions too; an insertion moves some
kilobytes of memory.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from jobd.jobs.admission.scheduling.resources import Demand


class Key(NamedTuple):
    """A job's place in the order: the highest priority first, then the lowest ticket."""

    rank: int
    ticket: int
    uid: str


def key_of(priority: int, ticket: int, uid: str) -> Key:
    """Returns the key; the uid makes the order total."""
    return Key(-priority, ticket, uid)


class Lane(NamedTuple):
    """A group and a demand."""

    group: str
    demand: Demand


Front = tuple[Key, Lane]


class Lanes:
    """Jobs by lane. A closed group's jobs stay, and are no candidates."""

    def __init__(self) -> None:
        self._lanes: dict[Lane, list[Key]] = {}
        self._by_group: dict[str, set[Lane]] = {}
        self._closed: set[str] = set()
        self._fronts: list[Front] = []

    def fronts(self) -> Iterable[Front]:
        """Returns the first job of each lane whose group is open, in the order of the jobs."""
        return self._fronts

    def lanes(self) -> Iterator[tuple[Lane, int]]:
        """Yields each lane with the number of its jobs."""
        for lane, keys in self._lanes.items():
            yield lane, len(keys)

    def add(self, key: Key, lane: Lane) -> None:
        """Adds a job."""
        keys = self._lanes.setdefault(lane, [])
        self._by_group.setdefault(lane.group, set()).add(lane)
        before = keys[0] if keys else None
        insort(keys, key)
        self._move_front(lane, before, keys[0])

    def remove(self, key: Key, lane: Lane) -> None:
        """Removes a job that was added."""
        keys = self._lanes[lane]
        before = keys[0]
        del keys[bisect_left(keys, key)]
        self._move_front(lane, before, keys[0] if keys else None)
        if not keys:
            del self._lanes[lane]
            self._by_group[lane.group].discard(lane)
            if not self._by_group[lane.group]:
                del self._by_group[lane.group]

    def open(self, group: str) -> None:
        """Makes the jobs of the group candidates."""
        if group in self._closed:
            self._closed.discard(group)
            self._fronts.extend((self._lanes[lane][0], lane) for lane in self._by_group.get(group, ()))
            self._fronts.sort()

    def close(self, group: str) -> None:
        """Makes the jobs of the group, also later ones, no candidates."""
        if group not in self._closed:
            self._closed.add(group)
            if group in self._by_group:
                self._fronts = [front for front in self._fronts if front[1].group != group]

    def _move_front(self, lane: Lane, before: Key | None, after: Key | None) -> None:
        if before == after or lane.group in self._closed:
            return
        if before is not None:
            del self._fronts[bisect_left(self._fronts, (before, lane))]
        if after is not None:
            insort(self._fronts, (after, lane))
