"""Creates the sidecar of a job that repeats the outputs of an earlier job, on the volume of that job. There is no worker.

Owns the check that the volume and the earlier worker are the earlier job's own, and what happens to a sidecar that exists already.
`creation.py` creates all other jobs.
"""

import secrets

from jobd.docker.containers.network import Network
from jobd.docker.containers.removal import Removal
from jobd.docker.containers.workspace_owners import WorkspaceOwners
from jobd.docker.engine import Engine
from jobd.docker.http.errors import Refusal, ServerError, port_error
from jobd.docker.mapping import container_spec, labels
from jobd.docker.mapping.inspection import Inspected
from jobd.docker.mapping.settings import DockerSettings
from jobd.jobs.port.errors import EngineUnavailable, RefusedByEngine, WorkspaceGone
from jobd.jobs.port.model import Created, JobRef, WorkOrder


class TakeoverCreation:
    """Creates sidecars on existing workspaces, for one instance of jobd."""

    def __init__(
        self,
        engine: Engine,
        settings: DockerSettings,
        network: Network,
        removal: Removal,
        owners: WorkspaceOwners,
    ) -> None:
        self._engine = engine
        self._settings = settings
        self._network = network
        self._removal = removal
        self._owners = owners

    async def create(self, order: WorkOrder, workspace_of: JobRef) -> Created:
        """Returns the earlier worker's id and the sidecar's, if the order needs one. Reuses a sidecar that has run.

        Raises: WorkspaceGone, RefusedByEngine, EngineUnavailable.
        """
        worker = await self._worker(workspace_of)
        await self._check_volume(workspace_of, "")
        if not order.sidecar:
            return Created(worker.id, None)
        await self._network.ensure()
        making = secrets.token_hex(8)
        sidecar_id = await self._sidecar(order, making)
        await self._check_volume(
            workspace_of, making
        )  # a volume that was removed meanwhile exists again, empty
        await self._owners.resolve(order.ref, worker.id, worker.config.user)
        return Created(worker.id, sidecar_id)

    async def _worker(self, ref: JobRef) -> Inspected:
        found = await self._engine.inspect_container(labels.container_name(ref.id, "worker"))
        if found is None or labels.ref_of(found.config.labels, self._settings.instance) != ref:
            raise WorkspaceGone(f"the containers of job {ref.id!r}, which hold its workspace, are gone")
        return found

    async def _check_volume(self, ref: JobRef, making: str) -> None:
        found = await self._engine.volume_labels(labels.volume_name(ref.id))
        owner = labels.ref_of(found, self._settings.instance)
        if found is None or owner is None or owner.uid != ref.uid or found.get(labels.MAKING) == making:
            raise WorkspaceGone(f"the workspace of job {ref.id!r} is gone")

    async def _sidecar(self, order: WorkOrder, making: str) -> str:
        name = labels.container_name(order.ref.id, "sidecar")
        body = container_spec.sidecar_body(order, self._settings, making)
        for _ in range(2):
            try:
                return await self._engine.create_container(body, name, None)
            except Refusal as error:
                if error.status != 409:
                    raise port_error("create", error) from error
            except ServerError as error:
                raise port_error("create", error) from error
            found = await self._engine.inspect_container(name)
            if found is None:
                continue
            if not labels.is_owned(found.config.labels, self._settings.instance):
                raise RefusedByEngine(
                    f"a container named {name!r} exists, and this jobd did not create it; choose another job id"
                )
            if labels.ref_of(found.config.labels, self._settings.instance) == order.ref:
                if not found.never_started:
                    return found.id
                await self._removal.remove_stopped(order.ref, label_filter=self._is_owned)
            else:  # of another job that had the id: its end is stored
                await self._removal.destroy(order.ref, labels.ROLES, volume=True, label_filter=self._is_owned)
        raise EngineUnavailable(
            f"the container {name} was created again while jobd replaced it", answered=True
        )

    def _is_owned(self, found: labels.Labels | None) -> bool:
        return labels.is_owned(found, self._settings.instance)
