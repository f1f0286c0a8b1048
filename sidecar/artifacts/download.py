"""download: GETs a URL into a file, and checks its announced length, its checksum and its size limit."""

import hashlib

from jobd.wire.artifact import Download
from sidecar.artifacts.base import Context, Transferred
from sidecar.errors import ArtifactError
from sidecar.transfer.http import Answer, Request
from sidecar.transfer.retry import safe_url
from sidecar.workspace.writing import write

RETRIES = 3
_WHOLE = 200
"""The only status for a whole file: 206 is a part, 202 and 204 have no file, and a proxy has changed the file of a 203."""


def transfer(artifact: Download, context: Context) -> Transferred:
    """Streams the file. Every try starts from the beginning; the file gets its name when it is complete and correct."""
    url = safe_url(artifact.source)

    def too_large() -> ArtifactError:
        return ArtifactError(f"GET {url}: is larger than maxBytes, {artifact.max_bytes} bytes")

    def receive(answer: Answer) -> int:
        if answer.status != _WHOLE:
            raise ArtifactError(
                f"GET {url}: the server answered {answer.status_text}, which is not the whole file"
            )
        if artifact.max_bytes is not None and answer.total is not None and answer.total > artifact.max_bytes:
            raise too_large()
        size = 0
        digest = hashlib.sha256()
        with context.workspace.replace(artifact.out) as file:
            for chunk in answer.chunks:
                size += len(chunk)
                if artifact.max_bytes is not None and size > artifact.max_bytes:
                    raise too_large()
                if artifact.sha256 is not None:
                    digest.update(chunk)
                write(file, chunk)
                context.meter(size, answer.total)
            if artifact.sha256 is not None and digest.hexdigest() != artifact.sha256.lower():
                raise ArtifactError(
                    f"GET {url}: sha256 is {digest.hexdigest()}, not {artifact.sha256.lower()}"
                )
        return size

    request = Request(method="GET", url=artifact.source, limit_s=context.caps.download_s, retries=RETRIES)
    return Transferred(size_bytes=context.http().send(request, receive))
