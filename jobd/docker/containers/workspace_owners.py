"""The uid and gid that own each job's workspace: the worker's user, resolved in the worker's container, then cached."""

from collections import OrderedDict

from jobd.docker.containers.container_ids import ContainerIds
from jobd.docker.engine import Engine
from jobd.docker.files.workspace import Workspace
from jobd.jobs.port.errors import StartFailed
from jobd.jobs.port.model import JobRef

_REMEMBERED = 4096


class WorkspaceOwners:
    """The owners of the workspaces of one instance on one engine."""

    def __init__(self, engine: Engine, ids: ContainerIds) -> None:
        self._workspace = Workspace(engine)
        self._ids = ids
        self._known: OrderedDict[JobRef, tuple[int, int]] = OrderedDict()

    async def resolve(self, ref: JobRef, container_id: str, user: str) -> tuple[int, int]:
        """Returns the uid and gid of `user` in this worker's container.

        Raises: RefusedByEngine: the image has no such user. EngineUnavailable.
        """
        owner = await self._workspace.owner(container_id, user)
        self._known.pop(ref, None)
        self._known[ref] = owner
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return owner

    async def of(self, ref: JobRef) -> tuple[int, int]:
        """Returns the worker's uid and gid; after a restart of jobd, asks the engine.

        Raises: StartFailed: the worker is gone. RefusedByEngine, EngineUnavailable.
        """
        known = self._known.get(ref)
        if known is not None:
            return known
        found = await self._ids.inspect(ref, "worker")
        if found is None:
            raise StartFailed("the worker container is gone")
        return await self.resolve(ref, found.id, found.config.user)
