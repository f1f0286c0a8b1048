"""Prepares a job: images first, then its volume and containers.

Owns that order, and remembers the created containers. `creation.py` and `takeover.py` make the containers.
"""

from jobd.docker.containers.container_ids import ContainerIds
from jobd.docker.containers.creation import Creation, completed
from jobd.docker.containers.exits.exits import ContainerExits
from jobd.docker.containers.fresh_workers import FreshWorkers
from jobd.docker.containers.takeover import TakeoverCreation
from jobd.docker.images.images import Images
from jobd.jobs.port.model import Created, JobRef, WorkOrder
from jobd.jobs.port.protocols import PreparationProgress


class Preparation:
    """`sidecar_image`: the image of sidecars. Notes the engine's outages of a call for the job's `exits`."""

    def __init__(
        self,
        sidecar_image: str,
        images: Images,
        creation: Creation,
        takeover: TakeoverCreation,
        ids: ContainerIds,
        exits: ContainerExits,
        fresh: FreshWorkers,
    ) -> None:
        self._sidecar_image = sidecar_image
        self._images = images
        self._creation = creation
        self._takeover = takeover
        self._ids = ids
        self._exits = exits
        self._fresh = fresh

    async def prepare(self, order: WorkOrder, progress: PreparationProgress) -> Created:
        """Pulls the images, creates volume, worker and, if requested, sidecar; see `DockerOrchestrator.prepare`."""
        if order.workspace_of is not None:
            return await self._prepare_outputs(order, order.workspace_of)
        image_user, spec = None, order.spec
        if not order.image_ready:
            image = await self._images.ensure(spec.image, spec.pull, spec.platform, progress.report)
            if order.sidecar:
                await self._images.ensure_sidecar(self._sidecar_image, progress.report)
            await progress.image_ready(image.facts)
            image_user = image.user
        with self._exits.noting_outages(order.ref.uid):
            made, is_new = await self._creation.create(order, image_user)
        self._fresh.pop(order.ref)
        if is_new:
            self._fresh.remember(order.ref, made.worker_id)
        self._ids.remember(order.ref, "worker", made.worker_id, tty=order.spec.tty)
        if made.sidecar_id is not None:
            self._ids.remember(order.ref, "sidecar", made.sidecar_id)
        return made

    async def _prepare_outputs(self, order: WorkOrder, workspace_of: JobRef) -> Created:
        """Creates the sidecar of a job that repeats the outputs of an earlier one."""
        if order.sidecar:
            await self._images.ensure_sidecar(self._sidecar_image)
        with self._exits.noting_outages(order.ref.uid):
            made = await completed(self._takeover.create(order, workspace_of))
        if made.sidecar_id is not None:
            self._ids.remember(order.ref, "sidecar", made.sidecar_id)
        return made
