"""upload: PUT of a file to a URL, streamed, opened again for every try. `UPLOAD_TIMEOUT` bounds each try as a whole.

The content is named `application/octet-stream`, whatever it is: a presigned URL may be signed over that header, as those made for the Go
service are.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from typing import IO

from jobd.wire.artifact import Upload
from sidecar.artifacts.base import Context, Moved
from sidecar.entry import shown
from sidecar.errors import ArtifactError, artifact_error
from sidecar.transfer.http import CHUNK_BYTES, Body, Request

CONTENT_TYPE = "application/octet-stream"


def move(artifact: Upload, context: Context) -> Moved:
    """Sends the file with its length. The answer's body is not looked at. A file that was changed meanwhile fails: what arrived is no state of it."""
    with ExitStack() as opened:
        sent: list[tuple[IO[bytes], os.stat_result]] = []

        def open_again() -> Body:
            opened.close()
            file = opened.enter_context(context.workspace.open(artifact.source))
            facts = os.fstat(file.fileno())
            sent[:] = [(file, facts)]
            return Body(facts.st_size, _chunks(artifact.source, file, facts.st_size, context))

        request = Request(
            method="PUT",
            url=artifact.out,
            limit_s=context.upload_timeout_s,
            retries=context.upload_retries,
            headers={"Content-Type": CONTENT_TYPE},
            body=open_again,
        )
        context.http().deliver(request)
        ((file, facts),) = sent
        now = os.fstat(file.fileno())
        if (now.st_size, now.st_mtime_ns) != (facts.st_size, facts.st_mtime_ns):
            raise ArtifactError(f"{shown(artifact.source)}: changed while it was sent")
    return Moved(size_bytes=facts.st_size)


def _chunks(path: str, file: IO[bytes], size: int, context: Context) -> Iterator[bytes]:
    sent = 0
    while sent < size:
        try:
            chunk = file.read(min(CHUNK_BYTES, size - sent))
        except OSError as error:
            raise artifact_error(error, shown(path)) from error
        if not chunk:
            raise ArtifactError(f"{shown(path)}: became shorter while it was sent")
        yield chunk
        sent += len(chunk)
        context.meter(sent, size)
