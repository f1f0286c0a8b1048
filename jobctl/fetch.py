"""Copying out of a job's workspace: the request, and what it means where nothing is there.

Owns the call alone; writing the caller's files is `extract.py`.
"""

import os

from jobctl.client import ANSWER_TIMEOUT_S, Body, Client, job_path, read_blocks
from jobctl.extract import Extracted, extract
from jobctl.meter import metered
from jobd.wire.filenames import readable, unescape


def fetch(client: Client, job_id: str, path: str, destination: str) -> Extracted:
    """Copies the workspace's `path`, escaped as in a spec or with raw bytes, to the local `destination` and returns what was made.

    Raises:
        NotFound: the job or the path is not there.
        LocalFile: the destination cannot be written.
    """
    path = readable(path)
    headers = {"Accept": "application/x-tar"}
    with client.open(
        "GET", job_path(job_id, "files"), {"path": path}, None, headers, ANSWER_TIMEOUT_S
    ) as response:
        return extract(
            Body(metered(read_blocks(response), f"fetching {path}")), os.fsdecode(unescape(path)), destination
        )
