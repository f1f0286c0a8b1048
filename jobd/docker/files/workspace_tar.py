"""Files of a job's workspace, as the tar that the engine makes of them.

Owns the check that the tar is whole. Source: Docker Engine API, ContainerArchive.
"""

from collections.abc import AsyncGenerator

from jobd.docker.containers.container_ids import ContainerIds
from jobd.docker.engine import Engine
from jobd.docker.files.tar_check import DamagedTar, TarCheck
from jobd.docker.http.errors import Refusal, Trouble
from jobd.jobs.port.errors import FilesChanged, NoSuchFile
from jobd.jobs.port.model import JobRef

_BUFFER_BYTES = 512 * 1024
_NAMES_NOTHING = ("not a directory", "too many levels of symbolic links", "file name too long")
"""For such a path the engine answers 500, with a text that holds paths of the host."""


async def open_tar(engine: Engine, ids: ContainerIds, ref: JobRef, path: str) -> AsyncGenerator[bytes, None]:
    """Streams the file or folder at the absolute container path as tar; what ends without an error is whole.

    When a file becomes shorter while the engine reads it, the engine ends the tar there and its answer in order (moby's archiver logs
    the failure and closes), so the tar itself is checked.
    Raises: NoSuchFile, before the first byte. FilesChanged: the tar is cut. EngineUnavailable.
    """
    found = await ids.inspect(ref, "worker")
    if found is None:
        raise NoSuchFile(f"the container of job {ref.id} is gone, and its files with it")
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
    except (Refusal, Trouble) as error:
        if isinstance(error, Trouble) and not _names_nothing(error.message):
            raise
        raise NoSuchFile(f"{path!r} does not exist in job {ref.id}") from error


def _names_nothing(message: str) -> bool:
    """True for the engine's own errors (500) over a path that leads nowhere: through a file, round in links, too long."""
    return message.endswith(_NAMES_NOTHING) or "too many links in " in message
