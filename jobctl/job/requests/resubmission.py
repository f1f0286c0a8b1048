"""Runs an ended job anew: the request of `jobctl retry`, under an id that makes the request safe to repeat.

jobd returns the same job for the same request with the same id. So jobctl derives the id itself: if an answer is lost, the
request is repeated, and jobd runs the job once.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from jobctl.connection.client import Client, job_path, read_all
from jobctl.errors import Conflict, ConnectionLost, Unreachable
from jobctl.job.requests.submission import LONGEST_ANSWER_BYTES, RESEND_FOR_S, UPLOAD_TIMEOUT_S, encoded
from jobctl.job.requests.trace_headers import trace_headers
from jobctl.value import Value
from jobd.wire.retry_ids import next_retry_id, retry_prefix

if TYPE_CHECKING:
    from jobctl.transfers.upload import Member

MAX_TRIES = 100
LISTED_RETRIES = 100
ANSWER_TIMEOUT_S = 60.0

Tree = dict[str, Any]


class Retry(Value):
    """What is sent with a request: the new id (None: jobctl derives one), the values of the secrets, the dependencies of the new job (None:
    jobd takes those of the old job), the jobs in place of those whose files the job takes, and the local files. `outputs`: the command does not run again, only the outputs are repeated.
    """

    _secret = frozenset({"secrets"})

    name: str | None = None
    secrets: Sequence[tuple[str, str]] = ()
    after: Sequence[Tree] | None = None
    entries: Sequence[Member] = ()
    outputs: bool = False
    sources: Mapping[str, str] = {}

    def body(self, new_id: str) -> bytes:
        """Returns the body of the request. Raises Misuse: a value is no text that JSON has."""
        tree: Tree = {"id": new_id}
        if self.secrets:
            tree["secrets"] = dict(self.secrets)
        if self.after is not None:
            tree["after"] = list(self.after)
        if self.sources:
            tree["sources"] = dict(self.sources)
        if self.outputs:
            tree["outputs"] = True
        return encoded(tree)


def resubmit(client: Client, job_id: str, retry: Retry) -> Tree:
    """Returns the answer for the new job: at least its id and status.

    Raises:
        JobctlError: jobd did not accept the job.
    """
    used: list[str] = [] if retry.name is not None else _retries(client, job_id)
    for _ in range(MAX_TRIES):
        new_id = next_retry_id(retry_prefix(job_id), used) if retry.name is None else retry.name
        try:
            answer, is_ours = _sent(client, job_id, retry.body(new_id), retry.entries)
        except Conflict as error:
            if retry.name is not None or error.field != "id":
                raise
        else:
            if is_ours or retry.name is not None:
                return answer
        used.append(new_id)  # another retry has this id since the list was read
    raise Conflict(
        f"no id is free for a retry of {job_id}", hint=f"give one: jobctl retry {job_id} --name ID"
    )


def _retries(client: Client, job_id: str) -> list[str]:
    query = {"prefix": retry_prefix(job_id), "limit": LISTED_RETRIES}
    return [str(job.get("id")) for job in json.loads(client.get("/v1/jobs", query))["jobs"]]


def _sent(client: Client, job_id: str, body: bytes, entries: Sequence[Member]) -> tuple[Tree, bool]:
    """Returns the answer, and whether this call has created the job. The request is repeated where its answer is lost."""
    give_up, pause, is_repeated = time.monotonic() + RESEND_FOR_S, 0.1, False
    while True:
        try:
            status, answer = _post(client, job_path(job_id, "retry"), body, entries)
            return answer, is_repeated or status == 202
        except (ConnectionLost, Unreachable) as error:
            if client.target is None or time.monotonic() > give_up:
                raise
            if isinstance(error, Unreachable) and not is_repeated:
                raise
            is_repeated = True
        time.sleep(pause)
        pause = min(pause * 2, 2.0)


def _post(client: Client, path: str, body: bytes, entries: Sequence[Member]) -> tuple[int, Tree]:
    if not entries:
        with client.open("POST", path, None, body, trace_headers(), ANSWER_TIMEOUT_S) as response:
            return response.status, json.loads(read_all(response, LONGEST_ANSWER_BYTES))
    from contextlib import closing

    from jobctl.output.live.meter import metered
    from jobctl.transfers import upload

    content_type, parts = upload.multipart(body, entries)
    headers = {"Content-Type": content_type, **trace_headers()}
    with (
        closing(metered(parts, "sending files", upload.size_bytes(entries))) as blocks,
        client.open("POST", path, None, blocks, headers, UPLOAD_TIMEOUT_S) as response,
    ):
        return response.status, json.loads(read_all(response, LONGEST_ANSWER_BYTES))
