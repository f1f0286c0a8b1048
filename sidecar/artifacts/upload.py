"""upload: PUTs a file to a URL as a stream, and opens the file again for every try. `UPLOAD_TIMEOUT` bounds each try.

The content type is always `application/octet-stream`, since the signature of a presigned URL may cover that header.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from typing import IO

from jobd.wire.artifact import Upload
from sidecar.artifacts.base import Context, Transferred
from sidecar.entry import shown
from sidecar.errors import ArtifactError, artifact_error
from sidecar.transfer.http import CHUNK_BYTES, Body, Request

CONTENT_TYPE = "application/octet-stream"


def transfer(artifact: Upload, context: Context) -> Transferred:
    """Sends the file with its length, and ignores the answer's body. Fails where the file changed meanwhile, since the copy is then
    inconsistent.
    """
    with ExitStack() as opened:
        sent: list[tuple[IO[bytes], os.stat_result]] = []

        def open_again() -> Body:
            opened.close()
            file = opened.enter_context(context.workspace.open(artifact.source))
            status = os.fstat(file.fileno())
            sent[:] = [(file, status)]
            return Body(status.st_size, _chunks(artifact.source, file, status.st_size, context))

        request = Request(
            method="PUT",
            url=artifact.out,
            limit_s=context.upload_timeout_s,
            retries=context.upload_retries,
            headers={"Content-Type": CONTENT_TYPE},
            body=open_again,
        )
        context.http().deliver(request)
        ((file, status),) = sent
        now = os.fstat(file.fileno())
        if (now.st_size, now.st_mtime_ns) != (status.st_size, status.st_mtime_ns):
            raise ArtifactError(f"{shown(artifact.source)}: changed during the upload")
    return Transferred(size_bytes=status.st_size)


def _chunks(path: str, file: IO[bytes], size: int, context: Context) -> Iterator[bytes]:
    sent = 0
    while sent < size:
        try:
            chunk = file.read(min(CHUNK_BYTES, size - sent))
        except OSError as error:
            raise artifact_error(error, shown(path)) from error
        if not chunk:
            raise ArtifactError(f"{shown(path)}: became shorter during the upload")
        yield chunk
        sent += len(chunk)
        context.meter(sent, size)
