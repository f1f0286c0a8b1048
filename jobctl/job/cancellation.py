"""The request that cancels a job."""

import json

from jobctl.connection.client import Client, job_path


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
    fields = {"by": by, "reason": why, "signal": signal_name, "graceSeconds": grace_s}
    body = json.dumps({name: value for name, value in fields.items() if value is not None}).encode()
    client.call("POST", job_path(job_id, "cancel"), None, body, None, timeout_s)
