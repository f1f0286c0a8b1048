"""The container id of each worker and sidecar: found by name and labels, then cached.

When a container has just ended, the engine delays a call by name until the container's network is removed; a call by id is not
delayed. The engine never reuses an id.
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
        self._known: OrderedDict[tuple[JobRef, Role], tuple[str, bool]] = OrderedDict()
        """Each id was read from a container with the labels of this attempt; beside it, whether the container has a terminal."""

    async def inspect(self, ref: JobRef, role: Role) -> Inspected | None:
        """Returns the container of exactly this attempt; None if there is none. Raises EngineUnavailable."""
        found = await self._engine.inspect_container(labels.container_name(ref.id, role))
        if found is None or labels.ref_of(found.config.labels, self._instance) != ref:
            self.forget(ref, role)
            return None
        self.remember(ref, role, found.id, tty=found.config.tty)
        return found

    async def of(self, ref: JobRef, role: Role) -> str | None:
        """Returns the id of the container of exactly this attempt; a cached id needs no request.

        Raises EngineUnavailable.
        """
        known = self._known.get((ref, role))
        if known is not None:
            return known[0]
        found = await self.inspect(ref, role)
        return None if found is None else found.id

    async def has_terminal(self, ref: JobRef, role: Role) -> bool:
        """Returns whether the container of exactly this attempt has a terminal: its output then is one stream without frames.

        Raises EngineUnavailable.
        """
        known = self._known.get((ref, role))
        if known is not None:
            return known[1]
        found = await self.inspect(ref, role)
        return found is not None and found.config.tty

    def remember(self, ref: JobRef, role: Role, container_id: str, *, tty: bool = False) -> None:
        """Caches the id; an id longer than `LONGEST_ID` is not cached."""
        self.forget(ref, role)
        if len(container_id) > inspection.LONGEST_ID:
            return
        self._known[(ref, role)] = (container_id, tty)
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)

    def forget(self, ref: JobRef, role: Role) -> None:
        """Drops the cached id: the container may be gone."""
        self._known.pop((ref, role), None)
