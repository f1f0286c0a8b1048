"""Files of a job's container as a tar from the engine.

Owns the check that the tar is complete. Source: Docker Engine API, ContainerArchive.
"""

from collections.abc import AsyncGenerator

from jobd.docker.containers.container_ids import ContainerIds
from jobd.docker.engine import Engine
from jobd.docker.files.tar_check import DamagedTar, TarCheck
from jobd.docker.http.errors import Refusal, ServerError
from jobd.docker.mapping import labels
from jobd.docker.mapping.container_spec import SIDECAR_WORKSPACE
from jobd.docker.mapping.inspection import Inspected
from jobd.jobs.port.errors import FilesChanged, NoSuchFile
from jobd.jobs.port.model import JobRef

_BUFFER_BYTES = 512 * 1024
_NAMES_NOTHING = ("not a directory", "too many levels of symbolic links", "file name too long")
"""For a path that does not exist the engine may answer 500, with a text that contains paths of the host."""


async def open_tar(engine: Engine, ids: ContainerIds, ref: JobRef, path: str) -> AsyncGenerator[bytes, None]:
    """Streams the file or folder at the absolute container path as tar; if no error is raised, the tar is complete.

    If a file shrinks while the engine reads it, the engine cuts the tar and completes its answer normally (moby's archiver logs the
    failure and closes), so jobd checks the tar itself.
    Raises: NoSuchFile, before the first byte. FilesChanged: the tar is cut. EngineUnavailable.
    """
    found = await ids.inspect(ref, "worker")
    if found is not None and found.has_host_mounts:
        path = _in_sidecar(ref, found, path)
        found = await ids.inspect(ref, "sidecar")
    if found is None:
        raise NoSuchFile(f"the container of job {ref.id} is removed, with its files")
    url = await engine.path(f"/containers/{found.id}/archive")
    try:
        async with engine.streams.open(
            "GET",
            url,
            params={"path": path},
            silence_s=engine.timeouts.work_s,
            buffer_bytes=_BUFFER_BYTES,
            again=True,
        ) as body:
            check = TarCheck()
            async for chunk in body.chunks():
                check.feed(chunk)
                yield chunk
            check.end()
    except DamagedTar as error:
        raise FilesChanged(f"the files of job {ref.id} changed while they were read: {error}") from error
    except (Refusal, ServerError) as error:
        if isinstance(error, ServerError) and not _names_nothing(error.message):
            raise
        raise NoSuchFile(f"{path!r} does not exist in job {ref.id}") from error


def _in_sidecar(ref: JobRef, worker: Inspected, path: str) -> str:
    """Returns the path of the same file in the sidecar, which has the workspace and no files of the machine: through a link in the
    workspace, the engine would read those as root.
    """
    volume = labels.volume_name(ref.id)
    for mount in worker.mounts or ():
        if mount.name == volume and f"{path}/".startswith(f"{mount.destination}/"):
            return SIDECAR_WORKSPACE + path.removeprefix(mount.destination)
    raise NoSuchFile(f"{path!r} is not in the workspace of job {ref.id}")


def _names_nothing(message: str) -> bool:
    """True for the engine's errors (500) about a path that does not exist: through a file, in a link loop, too long."""
    return message.endswith(_NAMES_NOTHING) or "too many links in " in message
