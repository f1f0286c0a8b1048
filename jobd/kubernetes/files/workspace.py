"""Files into and out of a job's workspace, by commands in the Pod's containers.

Owns the commands, and when there are no files. A Pod with a sidecar has its files while the sidecar runs; a Pod without one only while its
worker runs, and if the worker's image has `tar`.

Source: GNU tar manual; docs/kubernetes.md, "Files".
"""

import asyncio
import posixpath
from collections.abc import AsyncGenerator
from pathlib import Path

from jobd.jobs.port.errors import EngineUnavailable, FilesChanged, FilesNotKept, NoSuchFile, RefusedByEngine
from jobd.jobs.port.model import JobRef
from jobd.kubernetes.http.channels import CHUNK, Channels, exit_code
from jobd.kubernetes.http.errors import ApiError
from jobd.kubernetes.mapping import facts
from jobd.kubernetes.mapping.models import Pod
from jobd.kubernetes.mapping.pod import SIDECAR, WORKER, WORKSPACE
from jobd.kubernetes.pods.api import PodApi, translated
from jobd.wire.job import DEFAULT_WORKSPACE

ERROR_BYTES = 4096
_ABSENT, _OUTSIDE = 44, 45
_CHANGED = 1
"""The exit code of GNU tar if a file changed while it was read."""
_FILL = 'tar -xf - -C "$1" && { [ -z "$2" ] || chown -Rh "$2" "$1"; }'
_OWN = '[ -z "$2" ] || chown "$2" "$1"'
_PACK = f"""
cd -P "$2" 2>/dev/null || exit {_ABSENT}
case $(pwd -P)/ in "$1"/*) ;; *) exit {_OUTSIDE} ;; esac
[ -e "$3" ] || [ -L "$3" ] || exit {_ABSENT}
exec tar -cf - -- "$3"
"""
"""Packs the entry `$3` of folder `$2`, which must be beneath `$1`: a link of the job's must not lead out of its workspace."""
_PACK_HERE = f'cd "$1" 2>/dev/null || exit {_ABSENT}; [ -e "$2" ] || [ -L "$2" ] || exit {_ABSENT}; exec tar -cf - "./$2"'


class Workspace:
    """The workspaces of one jobd's jobs."""

    def __init__(self, api: PodApi) -> None:
        self._api = api

    async def fill(self, pod: Pod, files: Path | None) -> None:
        """Unpacks a tar into the workspace, which gets the worker's user if the job names one.

        Raises: ApiError, RefusedByEngine, EngineUnavailable.
        """
        owner = owner_of(pod)
        script = _OWN if files is None else _FILL
        if files is None and not owner:
            return
        arguments = ("sh", "-c", script, "sh", DEFAULT_WORKSPACE, owner)
        said = b""
        async with self._api.execute(
            pod.metadata.name, SIDECAR, arguments, stdin=files is not None
        ) as channels:
            sending = asyncio.ensure_future(_send(channels, files)) if files is not None else None
            try:
                async for _, data in channels.output():
                    said += data[: ERROR_BYTES - len(said)]
            finally:
                if sending is not None:
                    sending.cancel()
                    await asyncio.gather(sending, return_exceptions=True)
            code = exit_code(channels.error)
        if code != 0:
            text = said.decode("utf-8", "replace").strip()
            raise RefusedByEngine(f"the local files were not unpacked (code {code}): {text}")

    async def open_tar(self, ref: JobRef, path: str) -> AsyncGenerator[bytes, None]:
        """Streams a file or folder as tar; see `port.protocols.Files`."""
        with translated():
            pods = await self._api.of_job(ref)
            pod = pods[0] if pods else None
            if pod is None:
                raise NoSuchFile(f"{path}: the job's Pod is removed")
            container, arguments = _command(pod, path)
            try:
                opened = self._api.execute(pod.metadata.name, container, arguments, stdin=False)
                async with opened as channels:
                    async for chunk in _packed(channels, path):
                        yield chunk
            except ApiError as error:
                if error.code in (400, 404, 500):
                    raise FilesNotKept(_NOT_KEPT) from error
                raise


_NOT_KEPT = (
    "on Kubernetes a job's files are there while its sidecar runs; declare them as outputs or artifacts"
)


def owner_of(pod: Pod) -> str:
    """Returns the worker's `uid:gid`; empty for the image's own user."""
    worker = next((one for one in pod.spec.containers if one.name == WORKER), None)
    security = worker.security_context if worker is not None else None
    if security is None or security.run_as_user is None:
        return ""
    return f"{security.run_as_user}:{security.run_as_group or 0}"


def workspace_of(pod: Pod) -> str:
    """Returns the workspace's path in the worker."""
    worker = next((one for one in pod.spec.containers if one.name == WORKER), None)
    mounts = worker.volume_mounts if worker is not None else []
    return next((one.mount_path for one in mounts if one.name == WORKSPACE), DEFAULT_WORKSPACE)


def _command(pod: Pod, path: str) -> tuple[str, tuple[str, ...]]:
    """Returns the container and the command that packs a path. Raises NoSuchFile, FilesNotKept."""
    folder, name = posixpath.split(posixpath.normpath(path))
    if facts.sidecar_runs(pod):
        workspace = workspace_of(pod)
        if not f"{posixpath.normpath(path)}/".startswith(f"{workspace.rstrip('/')}/"):
            raise NoSuchFile(f"{path}: is not in the workspace")
        relative = posixpath.relpath(path, workspace)
        folder, name = posixpath.split(posixpath.normpath(posixpath.join(DEFAULT_WORKSPACE, relative)))
        if relative == ".":
            return SIDECAR, ("sh", "-c", 'cd / && exec tar -cf - "$1"', "sh", DEFAULT_WORKSPACE.strip("/"))
        return SIDECAR, ("sh", "-c", _PACK, "sh", DEFAULT_WORKSPACE, folder, name)
    worker = facts.status_of(pod, WORKER)
    if worker is None or worker.state.running is None:
        raise FilesNotKept(_NOT_KEPT)
    return WORKER, ("sh", "-c", _PACK_HERE, "sh", folder, name)


async def _packed(channels: Channels, path: str) -> AsyncGenerator[bytes, None]:
    errors, size = b"", 0
    async for stream, data in channels.output():
        if stream == "stdout":
            size += len(data)
            yield data
        else:
            errors += data[: ERROR_BYTES - len(errors)]
    code = exit_code(channels.error)
    if code == 0 and size:
        return
    text = errors.decode("utf-8", "replace").strip()
    if code in (_ABSENT, _OUTSIDE):
        raise NoSuchFile(f"{path}: does not exist in the workspace")
    if not size and code in (126, 127):
        raise FilesNotKept(f"{_NOT_KEPT}; the worker's image has no tar")
    if size and code == _CHANGED:
        raise FilesChanged(f"{path}: {text}")
    raise EngineUnavailable(f"{path}: tar ended with code {code}: {text}", answered=True)


async def _send(channels: Channels, files: Path) -> None:
    with files.open("rb") as file:
        while chunk := await asyncio.to_thread(file.read, CHUNK):
            await channels.write(chunk)
    await channels.end()
