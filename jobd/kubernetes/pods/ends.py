"""What jobd remembers of Pods that it has removed, since the API server forgets them. Pure, and bounded."""

from collections import OrderedDict

from jobd.jobs.port.model import ContainerFacts, StartFate

REMEMBERED = 4096


class Ends:
    """The last facts of workers by their id; None for one that has not run and never will."""

    def __init__(self) -> None:
        self._ends: OrderedDict[str, ContainerFacts | None] = OrderedDict()

    def remember(self, worker_id: str, end: ContainerFacts | None) -> None:
        """Takes the last facts of a removed worker."""
        self._ends[worker_id] = end
        self._ends.move_to_end(worker_id)
        while len(self._ends) > REMEMBERED:
            self._ends.popitem(last=False)

    def fate(self, worker_id: str) -> StartFate:
        """Returns what became of a worker that no longer exists."""
        if worker_id not in self._ends:
            return StartFate("unknown")
        end = self._ends[worker_id]
        return StartFate("never") if end is None else StartFate("began", end)
