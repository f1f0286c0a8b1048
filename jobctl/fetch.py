"""Copying out of a job's workspace: the request, and what it means where nothing is there.

Owns the call alone; writing the caller's files is `extract.py`.
"""

from jobctl.client import ANSWER_TIMEOUT_S, Body, Client, job_path, read_blocks
from jobctl.extract import Extracted, extract
from jobctl.meter import metered


def fetch(
    client: Client, job_id: str, path: str, destination: str, max_bytes: int | None = None
) -> Extracted:
    """Copies the workspace's `path` to the local `destination` and returns what was made. `max_bytes`: see `extract`.

    Raises:
        NotFound: the job or the path is not there.
        LocalFile: the destination cannot be written, or a file is too large.
    """
    headers = {"Accept": "application/x-tar"}
    with client.open(
        "GET", job_path(job_id, "files"), {"path": path}, None, headers, ANSWER_TIMEOUT_S
    ) as response:
        return extract(Body(metered(read_blocks(response), f"fetching {path}")), path, destination, max_bytes)
