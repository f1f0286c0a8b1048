"""The requests that pause and resume the queue, its groups and single jobs. Each repeats safely."""

import json
from typing import Any

from jobctl.connection.client import Client, job_path

TIMEOUT_S = 30.0


def request_pause(client: Client, path: str, *, paused: bool, running: bool = False) -> dict[str, Any]:
    """Pauses or resumes the queue or a group, which `path` names, and returns its state. `running`: running jobs stand still too."""
    return _request(client, path, paused, b'{"running": true}' if running else None)


def request_job_pause(client: Client, job_id: str, *, paused: bool) -> dict[str, Any]:
    """Pauses or resumes one job, and returns its state. The command of a paused job does not start, or stands still."""
    return _request(client, job_path(job_id), paused, None)


def _request(client: Client, path: str, paused: bool, body: bytes | None) -> dict[str, Any]:
    answer = client.call("POST", f"{path}/{'pause' if paused else 'resume'}", None, body, None, TIMEOUT_S)
    state: dict[str, Any] = json.loads(answer)
    return state
