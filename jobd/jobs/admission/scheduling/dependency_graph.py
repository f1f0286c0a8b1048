"""Which waiting jobs wait for the end of which others. Pure.

A job is blocked until its record has none of its dependencies left: the graph reports an end, the job's record takes the end in
(`resolve`), and only then the job may start. A restart therefore starts no job too early.
"""

from collections.abc import Iterable
from typing import NamedTuple

OWN_PAUSE = ""
"""Stands for the pause of a job among the jobs that it waits for: no job has this uid, and the pause ends with the next `block`."""


class DependencyEnd(NamedTuple):
    """The end of a job that another job waits for; the status is final."""

    uid: str
    status: str


class DependencyGraph:
    """Blocked jobs and what they wait for, by uid. A job has few dependencies; a dependency may have thousands of dependents."""

    def __init__(self) -> None:
        self._pending: dict[str, dict[str, str | None]] = {}
        """Blocked job -> its dependencies -> the status of those that have ended."""
        self._dependents: dict[str, dict[str, None]] = {}

    def __len__(self) -> int:
        return len(self._pending)

    def __contains__(self, uid: str) -> bool:
        return uid in self._pending

    def is_paused(self, uid: str) -> bool:
        """Returns whether a pause of the job alone is among what the job waits for."""
        return OWN_PAUSE in self._pending.get(uid, ())

    def dependents(self, uid: str) -> list[str]:
        """Returns the blocked jobs that wait for this job, in the order of their arrival."""
        return list(self._dependents.get(uid, ()))

    def block(self, uid: str, dependencies: Iterable[str]) -> None:
        """Sets what the job waits for; known ends stay known. Without dependencies the job is not blocked."""
        known = self._pending.get(uid, {})
        self.remove(uid)
        wanted = {one: known.get(one) for one in dependencies}
        if wanted:
            self._pending[uid] = wanted
            for one in wanted:
                self._dependents.setdefault(one, {})[uid] = None

    def remove(self, uid: str) -> None:
        """Forgets what the job waits for. Safe to repeat."""
        for one in self._pending.pop(uid, ()):
            dependents = self._dependents[one]
            del dependents[uid]
            if not dependents:
                del self._dependents[one]

    def ended(self, uid: str, status: str) -> list[str]:
        """Takes in the end of a job; returns the blocked jobs that wait for this job."""
        found = self.dependents(uid)
        for dependent in found:
            self._pending[dependent][uid] = status
        return found

    def news(self, uid: str) -> DependencyEnd | None:
        """Returns an end that the job's record has not taken in yet."""
        for one, status in self._pending.get(uid, {}).items():
            if status is not None:
                return DependencyEnd(one, status)
        return None
