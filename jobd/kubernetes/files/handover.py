"""Brings files of earlier jobs into a job's sidecar, which copies them from there as it does on one machine.

The bytes go from sidecar to sidecar through jobd, a piece at a time. An earlier job's files are there while its sidecar runs.

Source: GNU tar manual; docs/kubernetes.md, "Files".
"""

import posixpath
from collections.abc import Iterable
from contextlib import aclosing

from jobd.jobs.port.errors import EngineUnavailable, FilesNotKept, NoSuchFile, WorkspaceGone
from jobd.jobs.port.model import JobRef, WorkOrder
from jobd.kubernetes.files.workspace import Workspace, workspace_of
from jobd.kubernetes.http.channels import exit_code
from jobd.kubernetes.mapping import facts
from jobd.kubernetes.mapping.models import Pod
from jobd.kubernetes.mapping.pod import SIDECAR
from jobd.kubernetes.pods.api import PodApi
from jobd.wire.artifact import JobFiles
from jobd.wire.report import JOBS_FOLDER

_MAKE = 'mkdir -p "$1"'
_UNPACK = f'{_MAKE} && exec tar -xpf - -C "$1" "--strip-components=$2"'
ERROR_BYTES = 4096


class Handover:
    """The handovers of one jobd's jobs."""

    def __init__(self, api: PodApi, workspace: Workspace) -> None:
        self._api = api
        self._workspace = workspace

    async def bring(self, pod: Pod, order: WorkOrder) -> None:
        """Puts what the job's artifacts name of earlier workspaces into the sidecar's `JOBS_FOLDER`. Safe to repeat.

        Raises: WorkspaceGone: the earlier job's sidecar no longer runs. EngineUnavailable, ApiError.
        """
        for job_id, ref in order.sources.items():
            earlier = await self._earlier(ref)
            root = workspace_of(earlier)
            await self._into(pod, posixpath.join(JOBS_FOLDER, job_id), None)
            for path in sources_of(order, job_id):
                target = posixpath.join(JOBS_FOLDER, job_id, posixpath.dirname(path))
                await self._into(pod, target, (ref, posixpath.join(root, path)), strip=int(path == "."))

    async def _earlier(self, ref: JobRef) -> Pod:
        for pod in await self._api.of_job(ref):
            if facts.sidecar_runs(pod):
                return pod
        raise WorkspaceGone(
            f"the files of job {ref.id!r} are gone: on Kubernetes they are there while its sidecar runs; submit the jobs together, or "
            "declare the files as outputs"
        )

    async def _into(
        self, pod: Pod, folder: str, source: tuple[JobRef, str] | None, *, strip: int = 0
    ) -> None:
        """Makes a folder in the sidecar and, with a source, unpacks a file or folder there, without the first `strip` parts of its names."""
        script = _UNPACK if source is not None else _MAKE
        arguments = ("sh", "-c", script, "sh", folder, str(strip))
        said = b""
        name = pod.metadata.name
        async with self._api.execute(name, SIDECAR, arguments, stdin=source is not None) as channels:
            if source is not None:
                try:
                    async with aclosing(self._workspace.open_tar(*source)) as packed:
                        async for chunk in packed:
                            await channels.write(chunk)
                except NoSuchFile:
                    return  # the sidecar says what the workspace does not have
                except FilesNotKept as error:
                    raise WorkspaceGone(str(error)) from error
                await channels.end()
            async for _, data in channels.output():
                said += data[: ERROR_BYTES - len(said)]
            code = exit_code(channels.error)
        if code != 0:
            text = said.decode("utf-8", "replace").strip()
            raise EngineUnavailable(f"{folder}: tar ended with code {code}: {text}", answered=True)


def sources_of(order: WorkOrder, job_id: str) -> list[str]:
    """Returns the paths that the job's artifacts name of an earlier workspace, relative to it, without those beneath others. Pure."""
    found = {
        _relative(one.source)
        for one in order.spec.artifacts
        if isinstance(one, JobFiles) and one.job == job_id
    }
    return sorted(path for path in found if not _is_beneath(path, found))


def _relative(path: str) -> str:
    return posixpath.normpath(path.lstrip("/") or ".")


def _is_beneath(path: str, others: Iterable[str]) -> bool:
    return any(path != one and (one == "." or path.startswith(f"{one}/")) for one in others)
