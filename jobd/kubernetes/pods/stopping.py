"""Ends containers: by a deadline, by deletion, and by commands in the sidecar.

Kubernetes has no call for a signal. A deadline that has passed makes the kubelet end a Pod as a deletion does, SIGTERM first; the Pod, its
log and, within its grace, its sidecar stay.

Source: Kubernetes documentation, "Pod Lifecycle"; Kubernetes API v1, PodSpec (activeDeadlineSeconds).
"""

from jobd.jobs.port.model import JobRef, Role
from jobd.kubernetes.http.errors import ApiError
from jobd.kubernetes.mapping import facts
from jobd.kubernetes.mapping.models import Pod
from jobd.kubernetes.mapping.pod import END_FILE, SIDECAR
from jobd.kubernetes.pods.api import PodApi, translated
from jobd.kubernetes.pods.mutations import finished
from jobd.kubernetes.pods.removal import Removal
from jobd.kubernetes.pods.start import Start
from jobd.wire.report import FAILED_SIGNAL, SUCCEEDED_SIGNAL

_SOON_S = 1


class Stopping:
    """Ends the containers of one jobd's Pods. A container that is absent or does not run is no error."""

    def __init__(self, api: PodApi, start: Start, removal: Removal) -> None:
        self._api = api
        self._start = start
        self._removal = removal

    async def signal(self, ref: JobRef, role: Role, signal: str) -> None:
        """Ends a container: at once for SIGKILL, else after SIGTERM and the Pod's grace. Raises EngineUnavailable, RefusedByEngine."""
        with translated():
            pod = await self._start.pod(ref)
            if pod is None:
                return
            found = facts.status_of(pod, role)
            if found is None or found.state.running is None:
                return
            if signal == "SIGKILL" or role == "sidecar":
                # A sidecar is ended before its worker's start, or after its worker's end.
                await self._removal.kill(pod)
            elif pod.spec.active_deadline_seconds != _SOON_S and pod.metadata.deletion_timestamp is None:
                self._removal.expect(pod)
                deadline = {"spec": {"activeDeadlineSeconds": _SOON_S}}
                await finished(self._api.merge(pod.metadata.name, deadline))

    async def notify_worker_ended(self, ref: JobRef, *, succeeded: bool) -> None:
        """Tells the sidecar how the worker has ended. Raises EngineUnavailable, RefusedByEngine."""
        with translated():
            pod = await self._start.pod(ref)
            if pod is None or not facts.sidecar_runs(pod):
                return
            number = (SUCCEEDED_SIGNAL if succeeded else FAILED_SIGNAL).removeprefix("SIG")
            await self._in_sidecar(pod, "sh", "-c", f"kill -{number} 1")

    async def end_sidecar(self, ref: JobRef) -> None:
        """Ends a sidecar that only keeps files. Raises EngineUnavailable, RefusedByEngine."""
        with translated():
            pod = await self._start.pod(ref)
            if pod is not None and facts.sidecar_runs(pod):
                await self._in_sidecar(pod, "touch", END_FILE)

    async def _in_sidecar(self, pod: Pod, *command: str) -> None:
        try:
            await finished(self._api.run(pod.metadata.name, SIDECAR, *command))
        except ApiError as error:
            if error.code not in (400, 404, 500):  # the sidecar ends, or has ended
                raise
