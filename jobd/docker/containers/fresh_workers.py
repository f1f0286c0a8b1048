"""Workers that this process created and has not started: a start needs no inspection first. Bounded; a forgotten one is inspected."""

from collections import OrderedDict

from jobd.docker.mapping.inspection import LONGEST_ID
from jobd.jobs.port.model import JobRef

_REMEMBERED = 4096


class FreshWorkers:
    """The container id of each fresh worker."""

    def __init__(self) -> None:
        self._ids: OrderedDict[JobRef, str] = OrderedDict()

    def remember(self, ref: JobRef, container_id: str) -> None:
        """Takes a worker that was created now."""
        if len(container_id) <= LONGEST_ID:
            self._ids[ref] = container_id
        while len(self._ids) > _REMEMBERED:
            self._ids.popitem(last=False)

    def pop(self, ref: JobRef) -> str | None:
        """Returns the id and forgets the worker; None if it is not known."""
        return self._ids.pop(ref, None)
