"""Files out of a job's workspace: to a local path, or into memory."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

from jobctl.connection.body import Body
from jobctl.connection.client import read_blocks
from jobctl.errors import LocalFile, Misuse, OutputMissing
from jobctl.transfers.destination import Place, check, resolve
from jobctl.transfers.fetch import fetch, opened

if TYPE_CHECKING:
    from jobctl.sdk.core import Core

MOST_BYTES = 16 << 20
"""What is read into memory by default."""


def download(core: Core, job_id: str, path: str, destination: str | os.PathLike[str]) -> Path:
    """Copies a file or folder as `jobctl cp` does, and returns where it is. Raises as `fetch` does."""
    place = resolve(path, os.fspath(destination))
    if not isinstance(place, Place):
        raise Misuse(f"{destination!r} is an open file", hint="name a file or a folder; read() gives bytes")
    check(place)
    core.patiently(lambda: fetch(core.http, job_id, path, place, quiet=True))
    return place.target


def read(core: Core, job_id: str, path: str, max_bytes: int) -> bytes:
    """Returns the content of a file.

    Raises:
        NotFound, OutputMissing: the job has no such file. Misuse: the path is a folder, or the file is longer than `max_bytes`.
    """
    return core.patiently(lambda: _read(core, job_id, path, max_bytes))


def _read(core: Core, job_id: str, path: str, max_bytes: int) -> bytes:
    with opened(core.http, job_id, path) as response:
        body = Body(read_blocks(response))
        try:
            with tarfile.open(fileobj=cast(IO[bytes], body), mode="r|") as archive:
                member = archive.next()
                if member is None:
                    raise OutputMissing(f"the job has no {path!r}")
                content = archive.extractfile(member) if member.isreg() else None
                if content is None:
                    raise Misuse(f"{path!r} is no file", hint="download() copies folders")
                if member.size > max_bytes:
                    raise too_long(path, max_bytes, "download() copies it to a file")
                return content.read()
        except tarfile.TarError as error:
            raise LocalFile(f"jobd sent no valid tar archive of {path!r}: {error}") from None


def too_long(what: str, max_bytes: int, hint: str) -> Misuse:
    """Returns the error of what does not fit into memory."""
    return Misuse(f"{what} is longer than {max_bytes} bytes", hint=f"give a larger max_bytes, or {hint}")
