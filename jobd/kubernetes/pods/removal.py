"""Removes Pods: by force, only if nothing runs, or only if the worker has not run.

Owns the finalizer, which keeps a deleted Pod's object until jobd has read how the worker ended, and what jobd remembers of removed Pods.

Source: Kubernetes documentation, "Finalizers"; Kubernetes API v1, DeleteOptions.
"""

import asyncio
from collections.abc import Callable

from jobd.clock import Clock
from jobd.jobs.port.errors import EngineUnavailable
from jobd.jobs.port.model import ContainerFacts, JobRef, Role, StartFate
from jobd.kubernetes.http.errors import ApiError
from jobd.kubernetes.mapping import facts, labels
from jobd.kubernetes.mapping.models import Pod
from jobd.kubernetes.mapping.pod import END_FILE, SIDECAR, WORKER
from jobd.kubernetes.pods.api import PodApi, ref_of, translated
from jobd.kubernetes.pods.ends import Ends
from jobd.kubernetes.pods.mutations import finished

KILL_GRACE_S = 1
"""The least grace after which the kubelet itself reports the end; without a grace the API server forgets a Pod that may still run."""
PATIENCE_S = 60.0
"""A Pod that is not gone after this long is on a node that does not answer: the API server then forgets the Pod."""
LIMIT_S = 90.0
END_LIMIT_S = 5.0
_LOOK_S = (0.05, 1.0)
_TRIES = 5


class Removal:
    """`on_delete` gets the uid of each Pod that jobd deletes, before the deletion."""

    def __init__(self, api: PodApi, clock: Clock, ends: Ends, on_delete: Callable[[str], None]) -> None:
        self._api = api
        self._clock = clock
        self._ends = ends
        self._on_delete = on_delete

    async def remove(self, ref: JobRef) -> None:
        """Removes the Pods of all attempts by force. Raises EngineUnavailable."""
        with translated():
            pods = await self._api.of_job(ref)
            await asyncio.gather(*(self.remove_pod(pod) for pod in pods))

    async def remove_pod(self, pod: Pod) -> None:
        """Removes a Pod by force and waits until it is gone. Raises ApiError, EngineUnavailable."""
        self._on_delete(pod.metadata.uid)
        await self._end_kept_sidecar(pod)
        over = pod.status.phase in facts.ENDED_PHASES or not pod.spec.node_name
        await finished(self._api.delete(pod, 0 if over else KILL_GRACE_S))
        await self._gone(pod)

    async def _end_kept_sidecar(self, pod: Pod) -> None:
        """Ends a sidecar that has outlived its worker: the kubelet is stopping it already, with the Pod's whole grace, and shortens no
        stop that is under way.
        """
        if not _keeps_files(pod):
            return
        try:
            async with asyncio.timeout(END_LIMIT_S):
                await self._api.run(pod.metadata.name, SIDECAR, "touch", END_FILE)
        except (ApiError, EngineUnavailable, TimeoutError):
            pass  # the sidecar has ended meanwhile, or its node does not answer

    def expect(self, pod: Pod) -> None:
        """Marks a Pod that jobd ends by another call: its end is no external signal."""
        self._on_delete(pod.metadata.uid)

    async def kill(self, pod: Pod) -> None:
        """Ends a Pod's containers; the object stays for jobd. Raises ApiError, EngineUnavailable."""
        self._on_delete(pod.metadata.uid)
        await finished(self._api.delete(pod, KILL_GRACE_S))

    async def release(self, ref: JobRef) -> None:
        """The job is over: removes Pods that have not run, and lets deleted ones go. Raises ApiError, EngineUnavailable."""
        for pod in await self._api.until_attempt(ref):
            if not facts.has_run(pod) and pod.status.phase not in facts.ENDED_PHASES:
                await self.remove_pod(pod)
            elif pod.metadata.deletion_timestamp is not None:
                await self._let_go(pod)

    async def remove_stopped(self, ref: JobRef) -> None:
        """Removes the Pods of all attempts, and kills nothing. Raises EngineUnavailable, also if a container runs."""
        with translated():
            for pod in await self._api.of_job(ref):
                await self._remove_stopped(pod)

    async def _remove_stopped(self, pod: Pod) -> None:
        for _ in range(_TRIES):
            if facts.runs(pod):
                raise EngineUnavailable("a container of the job runs", answered=True)
            try:
                self._on_delete(pod.metadata.uid)
                await finished(self._api.delete(pod, 0, version=pod.metadata.resource_version))
                break
            except ApiError as error:
                if not error.is_changed:
                    raise
            found = await self._api.get(pod.metadata.name)
            if found is None or found.metadata.uid != pod.metadata.uid:
                return
            pod = found
        else:
            raise EngineUnavailable("the job's Pod changes while jobd removes it", answered=True)
        self._remember(pod)
        await self._gone(pod)

    async def remove_unstarted(self, ref: JobRef, role: Role, container_id: str) -> StartFate:
        """Removes the Pod unless its worker has run; see `port.protocols.Workers`. Raises EngineUnavailable."""
        with translated():
            pods = await self._api.of_job(ref)
            own = facts.worker_id if role == "worker" else facts.sidecar_id
            pod = next((one for one in pods if own(one) == container_id), None)
            if pod is None:
                return self._ends.fate(container_id) if role == "worker" else StartFate("unknown")
            if facts.has_run(pod):
                return StartFate("began")
            if _awaits_word(pod, role):
                return StartFate("never")
            return await self._withdraw(pod)

    async def _withdraw(self, pod: Pod) -> StartFate:
        """Deletes a Pod; while its finalizer keeps the object, the kubelet reports whether the worker has run."""
        self._on_delete(pod.metadata.uid)
        await finished(self._api.delete(pod, KILL_GRACE_S))
        deadline = self._clock.monotonic() + PATIENCE_S
        pause_s = _LOOK_S[0]
        last: Pod | None = pod
        while self._clock.monotonic() < deadline:
            found = await self._api.get(pod.metadata.name)
            if found is None or found.metadata.uid != pod.metadata.uid:
                last = None  # somebody else has removed the finalizer too
                break
            last = found
            if not found.spec.node_name or found.status.phase in facts.ENDED_PHASES:
                break
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, _LOOK_S[1])
        else:
            last = None
        if last is None:
            await self._gone(pod)
            return StartFate("unknown")
        end = self._remember(last)
        await self._gone(last)
        if end is not None:
            return StartFate("began", end)
        status = facts.status_of(last, WORKER)
        if last.spec.node_name and status is not None and _is_unknown(status.state.terminated):
            return StartFate("unknown")
        return StartFate("never")

    def _remember(self, pod: Pod) -> ContainerFacts | None:
        ref = ref_of(pod, self._api.instance)
        if ref is None:
            return None
        found = facts.facts(pod, "worker", ref.attempt, self._clock.now())
        end = found if found is not None and facts.has_run(pod) and found.ended else None
        if end is not None or not facts.has_run(pod):
            self._ends.remember(facts.worker_id(pod), end)
        return end

    async def _let_go(self, pod: Pod) -> None:
        """Removes jobd's finalizer."""
        if labels.FINALIZER not in pod.metadata.finalizers:
            return
        others = [one for one in pod.metadata.finalizers if one != labels.FINALIZER]
        metadata = {"finalizers": others, "resourceVersion": pod.metadata.resource_version}
        await finished(self._api.merge(pod.metadata.name, {"metadata": metadata}))

    async def _gone(self, pod: Pod) -> None:
        """Waits until a deleted Pod no longer exists. Raises ApiError. EngineUnavailable: the Pod still exists."""
        began = self._clock.monotonic()
        pause_s, forced, asked = _LOOK_S[0], False, False
        while True:
            found = await self._api.get(pod.metadata.name)
            if found is None or found.metadata.uid != pod.metadata.uid:
                return
            waited_s = self._clock.monotonic() - began
            if not asked and _keeps_files(found):
                asked = True
                await self._end_kept_sidecar(found)
            over = found.status.phase in facts.ENDED_PHASES or not found.spec.node_name
            if over or waited_s > PATIENCE_S:
                if not forced and found.metadata.deletion_grace_period_seconds != 0:
                    forced = True
                    await finished(self._api.delete(found, 0))
                await self._try_let_go(found)
            if waited_s > LIMIT_S:
                raise EngineUnavailable(f"Pod {pod.metadata.name} is still being deleted", answered=True)
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 1.5, _LOOK_S[1])

    async def _try_let_go(self, pod: Pod) -> None:
        try:
            await self._let_go(pod)
        except ApiError as error:
            if not error.is_changed:
                raise


def _keeps_files(pod: Pod) -> bool:
    worker = facts.status_of(pod, WORKER)
    return worker is not None and worker.state.terminated is not None and facts.sidecar_runs(pod)


def _awaits_word(pod: Pod, role: Role) -> bool:
    """Returns whether the request to start has not arrived, in a Pod whose sidecar may have the job's inputs already: the Pod stays, since
    jobd may repeat the request, and two of them start nothing twice.
    """
    if pod.metadata.deletion_timestamp is not None or not facts.sidecar_runs(pod):
        return False
    return facts.lacks_order(pod) if role == "sidecar" else facts.is_held(pod)


def _is_unknown(ended: object) -> bool:
    return getattr(ended, "reason", "") == "ContainerStatusUnknown"
