"""The fake engine's preparation of a job: images, containers and files."""

from dataclasses import replace

from jobd.jobs.port.errors import ImageUnavailable, RefusedByEngine, WorkspaceGone
from jobd.jobs.port.model import Created, ImageFacts, JobRef, WorkOrder
from jobd.jobs.port.protocols import PreparationProgress
from tests.support.fakes.containers import Job
from tests.support.fakes.controls import Controls
from tests.support.fakes.workspace import owner_of, unpacked


class FakePreparation(Controls):
    """The calls before the start of a container."""

    async def prepare(self, order: WorkOrder, progress: PreparationProgress) -> Created:
        """Finds every image that is not in `missing_images`; reports progress only for a pull. Reuses containers of this attempt that
        have run; creates the others again.
        """
        if not order.image_ready and order.workspace_of is None:
            await self._pull(order, progress)
        self._here("create")
        if order.workspace_of is None:
            self._find(order.spec.image)
        if self.refuse_create is not None:
            raise RefusedByEngine(self.refuse_create)
        if order.workspace_of is not None:
            return self._prepare_outputs(order, order.workspace_of)
        job = self._world.jobs.get(order.ref.id)
        if job is None or job.ref != order.ref or not job.has_run:
            if job is not None:
                self._world.remove(job)
            for name, source in order.sources.items():
                if self._world.of_uid(source) is None:
                    raise WorkspaceGone(f"the workspace of job {name!r} is gone")
            files = unpacked(order.files, order.spec.workspace)
            job = Job(order.ref, order.spec, files, owner_of(order.spec.user), dict(order.sources))
            job.worker = self._world.new_container(order.ref)
            job.sidecar = self._world.new_container(order.ref) if order.sidecar else None
            self._world.put(job)
        if job.worker is None:
            job.worker = self._world.new_container(order.ref)  # created again beside a sidecar that has run
        return Created(job.worker.facts.id, job.sidecar.facts.id if job.sidecar else None)

    def _prepare_outputs(self, order: WorkOrder, workspace_of: JobRef) -> Created:
        """Creates the sidecar on the workspace of an earlier job, whose worker has run."""
        root = self._world.find(workspace_of)
        if root is None or root.worker is None:
            raise WorkspaceGone(f"the workspace of job {workspace_of.id!r} is gone")
        if not order.sidecar:
            return Created(root.worker.facts.id, None)
        job = self._world.jobs.get(order.ref.id)
        if job is None or job.ref != order.ref or not job.has_run:
            if job is not None:
                self._world.remove(job)
            job = Job(order.ref, order.spec, root.files, root.owner, {root.ref.id: root.ref})
            job.sidecar = self._world.new_container(order.ref)
            self._world.put(job)
        assert job.sidecar is not None
        return Created(root.worker.facts.id, job.sidecar.facts.id)

    def _find(self, image: str) -> None:
        if image in self.missing_images:
            raise ImageUnavailable(f"there is no image {image!r}")

    async def _pull(self, order: WorkOrder, progress: PreparationProgress) -> None:
        self._here("pull")
        image = order.spec.image
        self._find(image)
        if order.spec.pull == "always":
            progress.report(f"pulling {image}")
        await self.before_pull_ends()
        if order.sidecar and self.sidecar_image_missing:
            raise ImageUnavailable("the sidecar image is missing")
        self.facts = replace(self.facts, has_sidecar_image=order.sidecar or self.facts.has_sidecar_image)
        self.pulls += 1
        await progress.image_ready(ImageFacts(id=f"sha256:{image}", digest=None))
