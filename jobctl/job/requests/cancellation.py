"""The request that cancels a job."""

import json

from jobctl.connection.client import Client, job_path
from jobctl.selection.sets import set_path

SET_TIMEOUT_S = 600.0
"""jobd stores a request for each of up to thousands of jobs before it answers."""


def request_cancel(
    client: Client,
    job_id: str,
    *,
    by: str | None = None,
    why: str | None = None,
    signal_name: str | None = None,
    grace_s: int | None = None,
    timeout_s: float = 30.0,
) -> None:
    """Asks jobd to cancel a job; jobd keeps the job's record. The worker gets `signal_name` first and SIGKILL `grace_s` seconds
    later. Repeats safely.
    """
    body = _body(by, why, signal_name, grace_s)
    client.call("POST", job_path(job_id, "cancel"), None, body, None, timeout_s)


def request_cancel_of_set(
    client: Client, set_id: str, *, why: str | None, signal_name: str | None, grace_s: int | None
) -> int:
    """Asks jobd to cancel the jobs of a set; returns how many had not ended. Repeats safely. Raises NotFound: the set has no jobs."""
    body = _body(None, why, signal_name, grace_s)
    answer = json.loads(client.call("POST", set_path(set_id, "cancel"), None, body, None, SET_TIMEOUT_S))
    return int(answer.get("jobs") or 0)


def _body(by: str | None, why: str | None, signal_name: str | None, grace_s: int | None) -> bytes:
    fields = {"by": by, "reason": why, "signal": signal_name, "graceSeconds": grace_s}
    return json.dumps({name: value for name, value in fields.items() if value is not None}).encode()
