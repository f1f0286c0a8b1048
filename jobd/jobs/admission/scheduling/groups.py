"""Groups of jobs: limits, pauses, and how many jobs of a group wait and run. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple


class GroupSettings(NamedTuple):
    """How many jobs of a group may run at once (None: no limit), and whether jobs of the group may start. `freezes`: a pause, which
    also freezes the running workers.
    """

    limit: int | None = None
    paused: bool = False
    freezes: bool = False


FREE = GroupSettings()
"""The settings of a group without settings."""


@dataclass(slots=True)
class GroupNumbers:
    """How many jobs of a group wait and run; `blocked`: those of the waiting jobs that wait for other jobs."""

    waiting: int = 0
    running: int = 0
    blocked: int = 0


NO_JOBS = GroupNumbers()


class Groups:
    """Settings and numbers by group. A group is known while it has settings or jobs."""

    def __init__(self) -> None:
        self.all_paused = False
        self.all_frozen = False
        """True if the pause of all groups also freezes the running workers."""
        self._settings: dict[str, GroupSettings] = {}
        self._numbers: dict[str, GroupNumbers] = {}

    def settings(self, name: str) -> GroupSettings:
        """Returns a group's settings."""
        return self._settings.get(name, FREE)

    def running(self, name: str) -> int:
        """Returns how many jobs of the group run."""
        return self._numbers.get(name, NO_JOBS).running

    def names(self) -> list[str]:
        """Returns the names of the known groups, sorted."""
        return sorted({*self._settings, *self._numbers})

    def number(self, name: str) -> GroupNumbers:
        """Returns the numbers of a group's jobs; read only."""
        return self._numbers.get(name, NO_JOBS)

    def numbers(self) -> Iterator[tuple[str, GroupNumbers]]:
        """Yields the groups that have jobs."""
        yield from self._numbers.items()

    def may_start(self, name: str) -> bool:
        """Returns whether the group is not paused and below its limit."""
        settings = self.settings(name)
        return not settings.paused and (settings.limit is None or self.running(name) < settings.limit)

    def set(self, name: str, settings: GroupSettings | None) -> None:
        """Sets a group's settings; None removes them."""
        if settings is None:
            self._settings.pop(name, None)
        else:
            self._settings[name] = settings

    def count(self, name: str, waiting: int = 0, running: int = 0, blocked: int = 0) -> None:
        """Changes the numbers of a group's jobs."""
        numbers = self._numbers.setdefault(name, GroupNumbers())
        numbers.waiting += waiting
        numbers.running += running
        numbers.blocked += blocked
        if not numbers.waiting and not numbers.running:
            del self._numbers[name]
