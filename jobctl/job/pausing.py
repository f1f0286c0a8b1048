"""The requests that pause and resume the queue, its groups and single jobs. Each repeats safely."""

import json
from typing import Any

from jobctl.connection.client import Client, job_path

TIMEOUT_S = 30.0


def request_pause(client: Client, path: str, *, paused: bool, running: bool = False) -> dict[str, Any]:
    """Pauses or resumes what `path` names (`QUEUE`, a group or a job), and returns its state. `running`: also freezes the containers
    that run.
    """
    body = b'{"running": true}' if running else None
    answer = client.call("POST", f"{path}/{'pause' if paused else 'resume'}", None, body, None, TIMEOUT_S)
    state: dict[str, Any] = json.loads(answer)
    return state


def request_job_pause(client: Client, job_id: str, *, paused: bool, running: bool = False) -> dict[str, Any]:
    """Pauses or resumes one job, and returns its state."""
    return request_pause(client, job_path(job_id), paused=paused, running=running)
