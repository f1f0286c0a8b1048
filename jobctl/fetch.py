"""Copying out of a job's workspace: the request, and what it means where nothing is there or the files come cut.

Owns the call alone; writing the caller's files is `extract.py`.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from jobctl.client import ANSWER_TIMEOUT_S, Body, Client, job_path, read_blocks
from jobctl.errors import ConnectionLost
from jobctl.extract import BLOCK_BYTES, Extracted, extract
from jobctl.http1 import Answer
from jobctl.meter import metered
from jobd.wire.filenames import readable, unescape


def fetch(
    client: Client, job_id: str, path: str, destination: str, max_bytes: int | None = None
) -> Extracted:
    """Copies the workspace's `path`, escaped as in a spec or with raw bytes, to the local `destination` and returns what was made.
    `max_bytes`: see `extract`.

    Raises:
        NotFound: the job or the path is not there.
        LocalFile: the destination cannot be written, or a file is too large.
        ConnectionLost: the files came cut; those that are there are whole.
    """
    with opened(client, job_id, readable(path)) as response:
        body = Body(metered(read_blocks(response), f"fetching {readable(path)}"))
        made = extract(body, os.fsdecode(unescape(readable(path))), destination, max_bytes)
        while body.read(BLOCK_BYTES):
            pass  # the tar has ended; whether the answer ends in order too says that it is all
        return made


@contextmanager
def opened(client: Client, job_id: str, path: str) -> Iterator[Answer]:
    """Gives the tar of the workspace's `path`, unread. Raises as `fetch` does, also while it is read."""
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
            f"the files of {path!r} came cut: they changed while they were read, or jobd went away ({error.message})",
            hint="copy them again, or when the job has ended",
        ) from None
