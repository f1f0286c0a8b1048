"""Copies files out of a job's workspace: the request, and its errors. `extract.py` writes the local files."""

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager

from jobctl.connection.body import Body
from jobctl.connection.client import ANSWER_TIMEOUT_S, Client, job_path, read_blocks
from jobctl.connection.http1 import Answer
from jobctl.errors import ConnectionLost
from jobctl.output.live.meter import metered
from jobctl.transfers.destination import Place, Stream
from jobctl.transfers.extract import Extracted, extract
from jobctl.transfers.stream_output import write_output
from jobd.wire.files.filenames import readable, unescape


def fetch(
    client: Client,
    job_id: str,
    path: str,
    place: Stream | Place,
    max_bytes: int | None = None,
    total_bytes: int | None = None,
    *,
    quiet: bool = False,
) -> Extracted | None:
    """Copies the workspace's `path`, escaped as in a spec or with raw bytes, to the local `place`. Returns None for an open file.
    `max_bytes`: see `extract`; `total_bytes`: the size of the tar for the progress line, None where unknown; `quiet`: shows no progress.

    Raises:
        NotFound: the job or the path does not exist.
        LocalFile: the destination cannot be written, or a file is too large.
        ConnectionLost: the transfer was cut; the destination is unchanged.
    """
    name = os.fsdecode(unescape(readable(path)))
    with (
        opened(client, job_id, readable(path)) as response,
        closing(
            metered(read_blocks(response), f"fetching {readable(path)}", total_bytes, quiet=quiet)
        ) as blocks,
    ):
        body = Body(blocks)
        if isinstance(place, Place):
            return extract(body, name, place, max_bytes)
        write_output(body, name, place.descriptor, max_bytes)
        return None


@contextmanager
def opened(client: Client, job_id: str, path: str) -> Iterator[Answer]:
    """Gives the tar of the workspace's `path`, unread. Raises as `fetch` does, also while the caller reads."""
    headers = {"Accept": "application/x-tar"}
    begun = False
    try:
        with client.open(
            "GET", job_path(job_id, "files"), {"path": path}, None, headers, ANSWER_TIMEOUT_S
        ) as response:
            begun = True
            yield response
    except ConnectionLost as error:
        if not begun:
            raise
        raise ConnectionLost(
            f"the transfer of {path!r} was cut: the files changed meanwhile, or the connection broke ({error.message})",
            hint="copy them again, or after the job has ended",
        ) from None
