"""The error for a group that does not exist, with similar names."""

import json

from jobctl.connection.client import Client
from jobctl.errors import NotFound
from jobctl.job.pausing import QUEUE
from jobctl.suggestion import nearest


def no_group(client: Client, name: str, message: str, command: str) -> NotFound:
    """Returns the error with a group of a similar name in its hint, which repeats `command` for that group."""
    names = [str(group["name"]) for group in json.loads(client.get(QUEUE))["groups"]]
    near = nearest(name, [known for known in names if known != name], ())
    return NotFound(
        message, hint=f"did you mean: {command} {near}" if near else "jobctl group ls lists the groups"
    )
