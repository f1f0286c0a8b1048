"""Starts: the sidecar's order, and the worker, each at most once.

The kubelet starts a worker once, since Pods are never restarted; jobd lets it, by removing the gate or by the sidecar's start file. Both
may be repeated.

Source: Kubernetes documentation, "Pod Scheduling Readiness"; Kubernetes documentation, "Sidecar Containers".
"""

import msgspec

from jobd.jobs.port.errors import EngineUnavailable, StartFailed
from jobd.jobs.port.model import ContainerState, JobRef
from jobd.kubernetes.files.workspace import owner_of
from jobd.kubernetes.http.errors import ApiError
from jobd.kubernetes.mapping import facts, labels
from jobd.kubernetes.mapping.models import Pod
from jobd.kubernetes.mapping.pod import SIDECAR, START_FILE, START_GATE
from jobd.kubernetes.pods.api import PodApi, translated
from jobd.kubernetes.pods.mutations import finished
from jobd.wire.report import SidecarOrder, encode_order

_TRIES = 5
_GONE = "the job's Pod is gone"


class Start:
    """Starts the containers of one jobd's Pods."""

    def __init__(self, api: PodApi) -> None:
        self._api = api

    async def inputs(self, ref: JobRef, order: SidecarOrder) -> None:
        """Sends the sidecar its order, unless it has been sent before. Raises StartFailed, RefusedByEngine, EngineUnavailable."""
        with translated():
            pod = await self.pod(ref)
            if pod is None or not facts.has_sidecar(pod):
                raise StartFailed(_GONE)
            if pod.metadata.annotations.get(labels.ORDERED):
                return
            if not facts.sidecar_runs(pod):
                raise StartFailed("the sidecar has ended before it got its order")
            uid, _, gid = owner_of(pod).partition(":")
            order = msgspec.structs.replace(order, worker_uid=int(uid or 0), worker_gid=int(gid or 0))
            marked = {"metadata": {"annotations": {labels.ORDERED: "true"}, "uid": pod.metadata.uid}}
            # The mark comes between: a jobd that is killed before it leaves a sidecar that another order may reach, and one that is killed
            # after it a sidecar whose input has ended, which refuses its order at once.
            async with self._api.attach(pod.metadata.name, SIDECAR) as channels:
                await finished(self._api.merge(pod.metadata.name, marked))
                await channels.write(encode_order(order))
                await channels.end()
                async for _ in channels.output():
                    pass

    async def worker(self, ref: JobRef) -> ContainerState:
        """Lets the worker start; see `port.protocols.Workers`. Raises StartFailed, EngineUnavailable."""
        with translated():
            for _ in range(_TRIES):
                pod = await self.pod(ref)
                if pod is None or (pod.metadata.deletion_timestamp is not None and not facts.has_run(pod)):
                    raise StartFailed(_GONE, facts.NOT_STARTED)
                if facts.has_run(pod):
                    return ContainerState.RUNNING
                if not facts.is_held(pod):
                    return ContainerState.STARTING
                if await self._let_go(pod):
                    return ContainerState.STARTING
        raise EngineUnavailable("the job's Pod changes while jobd starts its worker", answered=True)

    async def _let_go(self, pod: Pod) -> bool:
        """Returns False if the Pod has changed meanwhile."""
        name = pod.metadata.name
        if facts.is_gated(pod):
            number = next(n for n, gate in enumerate(pod.spec.scheduling_gates) if gate.name == START_GATE)
            gate = f"/spec/schedulingGates/{number}"
            operations = [
                {"op": "test", "path": "/metadata/uid", "value": pod.metadata.uid},
                {"op": "test", "path": f"{gate}/name", "value": START_GATE},
                {"op": "remove", "path": gate},
            ]
            try:
                return await finished(self._api.patch(name, operations)) is not None
            except ApiError as error:
                if error.code in (409, 422):
                    return False
                raise
        if not facts.sidecar_runs(pod):
            raise StartFailed("the sidecar ended before the worker was started", facts.NOT_STARTED)
        code, said = await finished(self._api.run(name, SIDECAR, "touch", START_FILE))
        if code != 0:
            raise EngineUnavailable(
                f"the sidecar does not let the worker start (code {code}): {said}", answered=True
            )
        return True

    async def pod(self, ref: JobRef) -> Pod | None:
        """Returns the Pod of this attempt. Raises ApiError, EngineUnavailable."""
        return await self._api.of_attempt(ref)
