"""What a watch has told of the Pods so far, and which hints follow from each change. Pure.

Owns the resource version to continue from. `stream.py` makes the requests. A Pod is remembered by its uid, state by state: a lost event
shows as a difference at the next list.
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from jobd.jobs.port.hints import Changed, Ended, Hint, SignalledExternally, Started
from jobd.jobs.port.model import ContainerFacts, ContainerState, JobRef, Role
from jobd.kubernetes.mapping import facts
from jobd.kubernetes.mapping.labels import ref_of
from jobd.kubernetes.mapping.models import Pod

EXPECTED = 4096
ROLES: tuple[Role, ...] = ("worker", "sidecar")


@dataclass(frozen=True, slots=True)
class _Seen:
    ref: JobRef
    states: tuple[ContainerState | None, ...]
    ids: tuple[str, ...]
    deleted: bool


class WatchState:
    """The Pods of one jobd."""

    def __init__(self, instance: str) -> None:
        self.resource_version = ""
        self._expected: OrderedDict[str, None] = OrderedDict()
        """The uids of Pods that jobd itself ends: their end is no external signal."""
        self._instance = instance
        self._pods: dict[str, _Seen] = {}

    def __len__(self) -> int:
        return len(self._pods)

    def expect(self, uid: str) -> None:
        """Marks a Pod that jobd is about to end."""
        self._expected[uid] = None
        while len(self._expected) > EXPECTED:
            self._expected.popitem(last=False)

    def listed(self, pods: Iterable[Pod], resource_version: str, now: datetime) -> list[Hint]:
        """Takes a whole list; returns the hints of what differs from the state so far."""
        self.resource_version = resource_version
        hints: list[Hint] = []
        present = set()
        for pod in pods:
            present.add(pod.metadata.uid)
            hints += self._taken(pod, now)
        for uid in self._pods.keys() - present:
            hints += self._gone(uid)
        return hints

    def changed(self, pod: Pod, now: datetime) -> list[Hint]:
        """Takes a new state of a Pod; returns the hints of what has changed."""
        self.resource_version = pod.metadata.resource_version or self.resource_version
        return self._taken(pod, now)

    def _taken(self, pod: Pod, now: datetime) -> list[Hint]:
        ref = ref_of(pod.metadata.annotations, pod.metadata.labels, self._instance)
        if ref is None:
            return []
        found = [facts.facts(pod, role, ref.attempt, now) for role in ROLES]
        seen = _Seen(
            ref,
            tuple(one.state if one is not None else None for one in found),
            tuple(one.id if one is not None else "" for one in found),
            pod.metadata.deletion_timestamp is not None,
        )
        before = self._pods.get(pod.metadata.uid)
        self._pods[pod.metadata.uid] = seen
        return list(self._hints(pod, before, seen, found))

    def deleted(self, pod: Pod, now: datetime) -> list[Hint]:
        """Takes the last state of a Pod that no longer exists."""
        hints = self.changed(pod, now)
        return hints + self._gone(pod.metadata.uid)

    def bookmark(self, resource_version: str) -> None:
        """Takes the resource version up to which nothing else has changed."""
        self.resource_version = resource_version

    def expired(self) -> None:
        """The API server no longer has the changes since the resource version: the next request lists."""
        self.resource_version = ""

    def _gone(self, uid: str) -> list[Hint]:
        seen = self._pods.pop(uid, None)
        self._expected.pop(uid, None)
        return [] if seen is None else [Changed(seen.ref.uid, "worker")]

    def _hints(
        self, pod: Pod, before: _Seen | None, seen: _Seen, found: list[ContainerFacts | None]
    ) -> Iterator[Hint]:
        uid = seen.ref.uid
        if seen.deleted and not (before is not None and before.deleted):
            over = seen.states[0] is ContainerState.ENDED
            if pod.metadata.uid not in self._expected and not over:
                yield SignalledExternally(uid, "worker")
        told = False
        for number, role in enumerate(ROLES):
            was, now = before.states[number] if before is not None else None, seen.states[number]
            if was is now:
                continue
            one = found[number]
            if now in (ContainerState.RUNNING, ContainerState.ENDED) and was is not ContainerState.RUNNING:
                yield Started(uid, role, _begun(one))
                told = True
            if now is ContainerState.ENDED:
                yield Ended(uid, role, one if one is not None and one.started_at is not None else None)
                told = True
        if not told:
            yield Changed(uid, "worker")


def _begun(found: ContainerFacts | None) -> ContainerFacts | None:
    if found is None or found.started_at is None:
        return None
    return ContainerFacts(found.id, ContainerState.RUNNING, found.attempt, found.started_at)
