"""Which container is a job's worker or sidecar: by its name and labels, and by its id where that is known already.

A call by name waits, for a container that has just ended, until the engine has taken down the container's network; a call by id
does not, and the engine never gives an id twice.
"""

from collections import OrderedDict

from jobd.docker.engine import Engine
from jobd.docker.mapping import inspection, labels
from jobd.docker.mapping.inspection import Inspected
from jobd.jobs.port.model import JobRef, Role

_REMEMBERED = 8192


class ContainerIds:
    """The ids of one instance's containers on one engine."""

    def __init__(self, engine: Engine, instance: str) -> None:
        self._engine = engine
        self._instance = instance
        self._known: OrderedDict[tuple[JobRef, Role], str] = OrderedDict()
        """Ids of containers that are known to be this attempt's."""

    async def inspect(self, ref: JobRef, role: Role) -> Inspected | None:
        """Returns the container of exactly this attempt; None where it does not exist. Raises EngineUnavailable."""
        found = await self._engine.inspect_container(labels.container_name(ref.id, role))
        if found is None or labels.ref_of(found.config.labels, self._instance) != ref:
            self.forget(ref, role)
            return None
        self.remember(ref, role, found.id)
        return found

    async def of(self, ref: JobRef, role: Role) -> str | None:
        """Returns the id of the container of exactly this attempt, without a request where it is known already.

        Raises EngineUnavailable.
        """
        known = self._known.get((ref, role))
        if known is not None:
            return known
        found = await self.inspect(ref, role)
        return None if found is None else found.id

    def remember(self, ref: JobRef, role: Role, container_id: str) -> None:
        """The container of this attempt has this id."""
        self.forget(ref, role)
        if len(container_id) > inspection.LONGEST_ID:
            return
        self._known[(ref, role)] = container_id
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)

    def forget(self, ref: JobRef, role: Role) -> None:
        """The container may be gone."""
        self._known.pop((ref, role), None)
