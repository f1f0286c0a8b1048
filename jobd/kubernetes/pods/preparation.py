"""All that comes before a worker's start: the Pod, its place on a node, its sidecar, and the local files.

Owns the order of these steps, and which Pod of an earlier call is used again. `mapping/pod.py` has the body. A Pod without a sidecar is
created and waits at its gate: its place and its image are parts of the start.
"""

import asyncio

from jobd.clock import Clock
from jobd.jobs.port.errors import EngineUnavailable, ImageUnavailable, RefusedByEngine, WorkspaceGone
from jobd.jobs.port.model import Created, ImageFacts, JobRef, WorkOrder
from jobd.jobs.port.protocols import PreparationProgress
from jobd.kubernetes.files.handover import Handover
from jobd.kubernetes.files.workspace import Workspace
from jobd.kubernetes.http.errors import ApiError
from jobd.kubernetes.mapping import facts, labels
from jobd.kubernetes.mapping.models import Pod
from jobd.kubernetes.mapping.pod import SIDECAR, Body, needs_sidecar, pod_body
from jobd.kubernetes.mapping.settings import KubernetesSettings
from jobd.kubernetes.mapping.unsupported import unsupported
from jobd.kubernetes.pods.api import PodApi, ref_of, translated
from jobd.kubernetes.pods.mutations import finished
from jobd.kubernetes.pods.removal import Removal
from jobd.kubernetes.watch.changes import Changes, Waiting

QUOTA_S = 5.0
TELL_S = 1.0
"""Waiting for less than this is not reported."""
_TAKEN_TRIES, _TAKEN_S = 5, 0.1


class Preparation:
    """Prepares attempts."""

    def __init__(
        self,
        api: PodApi,
        settings: KubernetesSettings,
        removal: Removal,
        workspace: Workspace,
        handover: Handover,
        changes: Changes,
        clock: Clock,
    ) -> None:
        self._api = api
        self._settings = settings
        self._removal = removal
        self._workspace = workspace
        self._handover = handover
        self._changes = changes
        self._clock = clock
        self._at_start: frozenset[str] | None = None
        """The uids of the jobs that had Pods before this jobd prepared any."""

    async def prepare(self, order: WorkOrder, progress: PreparationProgress) -> Created:
        """See `port.protocols.Preparing`. Raises WorkspaceGone, ImageUnavailable, RefusedByEngine, EngineUnavailable."""
        lacking = unsupported(order.spec)
        if lacking is not None:
            raise RefusedByEngine(f"{lacking.field}: {lacking.reason}")
        if order.workspace_of is not None:
            raise WorkspaceGone(
                f"on Kubernetes a workspace ends with its Pod: that of job {order.workspace_of.id!r} is gone"
            )
        if not order.image_ready:
            await progress.image_ready(ImageFacts(order.spec.image, None))
        with translated(), self._changes.awaited(order.ref.uid) as change:
            pod = await self._pod(order, progress)
            if needs_sidecar(order) and not facts.has_run(pod):
                pod = await self._with_sidecar(pod, change, progress)
                await self._fill(pod, order)
        return Created(facts.worker_id(pod), facts.sidecar_id(pod) if order.sidecar else None)

    async def _pod(self, order: WorkOrder, progress: PreparationProgress) -> Pod:
        """Returns the attempt's Pod, an existing one if it is the same; removes all others of the job."""
        body = pod_body(order, self._settings)
        taken = 0
        while True:
            found = await self._existing(order.ref, body)
            if found is not None:
                return found
            try:
                return await finished(self._api.create(body))
            except ApiError as error:
                if error.is_over_quota:
                    progress.report(f"the namespace's quota: {error}")
                    await asyncio.sleep(QUOTA_S)
                elif error.is_taken and taken < _TAKEN_TRIES:
                    taken += 1
                    await asyncio.sleep(_TAKEN_S)
                elif error.is_taken:
                    raise RefusedByEngine(
                        f"Pod {body['metadata']['name']} exists and is not this job's"
                    ) from error
                else:
                    raise

    async def _existing(self, ref: JobRef, body: Body) -> Pod | None:
        kept = None
        for pod in await self._of_job(ref):
            own = ref_of(pod, self._settings.instance)
            if own is not None and own.attempt == ref.attempt and _is_usable(pod, body):
                kept = pod
            else:
                await self._removal.remove_pod(pod)
        return kept

    async def _of_job(self, ref: JobRef) -> list[Pod]:
        """Returns the job's Pods: by name, but where an earlier jobd may have made later attempts than a restored state folder knows."""
        if self._at_start is None:
            pods, _ = await self._api.listed(labels.selector_of_instance(self._api.instance))
            refs = (ref_of(pod, self._api.instance) for pod in pods)
            self._at_start = frozenset(one.uid for one in refs if one is not None)
        return await (self._api.of_job(ref) if ref.uid in self._at_start else self._api.until_attempt(ref))

    async def _with_sidecar(self, pod: Pod, change: Waiting, progress: PreparationProgress) -> Pod:
        """Returns the Pod once its sidecar runs; reports what it waits for."""
        began, said = self._clock.monotonic(), ""
        while True:
            if facts.sidecar_runs(pod):
                return pod
            sidecar = facts.facts(pod, "sidecar", 1, self._clock.now())
            trouble = facts.image_trouble(pod, SIDECAR, self._clock.now())
            if trouble is not None:
                await self._removal.remove_pod(pod)
                error = ImageUnavailable(f"{self._settings.sidecar_image}, the sidecar's image: {trouble}")
                error.remedy = "push that image to a registry of the cluster, or set SIDECAR_IMAGE"
                raise error
            if sidecar is not None and sidecar.error:
                await self._removal.remove_pod(pod)
                raise RefusedByEngine(f"the sidecar does not start: {sidecar.error}")
            if pod.status.phase in facts.ENDED_PHASES or pod.metadata.deletion_timestamp is not None:
                await self._removal.remove_pod(pod)
                why = pod.status.message or pod.status.reason or "somebody else deleted it"
                raise EngineUnavailable(f"the job's Pod ended before its sidecar ran: {why}", answered=True)
            waits = facts.waits_for(pod, SIDECAR)
            if waits and waits != said and self._clock.monotonic() - began >= TELL_S:
                said = waits
                progress.report(f"waiting for {waits}")
            await change.wait()
            found = await self._api.get(pod.metadata.name)
            if found is None or found.metadata.uid != pod.metadata.uid:
                raise EngineUnavailable("the job's Pod was deleted while it was prepared", answered=True)
            pod = found

    async def _fill(self, pod: Pod, order: WorkOrder) -> None:
        if pod.metadata.annotations.get(labels.FILLED):
            return
        await self._workspace.fill(pod, order.files)
        await self._handover.bring(pod, order)
        marked = {"metadata": {"annotations": {labels.FILLED: "true"}}}
        await finished(self._api.merge(pod.metadata.name, marked))


def _is_usable(pod: Pod, body: Body) -> bool:
    if facts.has_run(pod):
        return True
    sidecar = facts.status_of(pod, SIDECAR)
    if pod.metadata.deletion_timestamp is not None or pod.status.phase in facts.ENDED_PHASES:
        return False
    if sidecar is not None and sidecar.restart_count:
        return False  # its order is lost
    same: bool = pod.metadata.annotations.get(labels.DIGEST) == body["metadata"]["annotations"][labels.DIGEST]
    return same
