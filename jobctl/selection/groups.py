"""The groups of the queue: their paths, and the error for a group that does not exist, with similar names."""

import json

from jobctl.connection.client import Client, quoted
from jobctl.errors import NotFound
from jobctl.suggestion import nearest

QUEUE = "/v1/queue"


def group_path(name: str) -> str:
    """Returns the path of a group."""
    return f"/v1/groups/{quoted(name)}"


def no_group(client: Client, name: str, message: str, command: str) -> NotFound:
    """Returns the error with a group of a similar name in its hint, which repeats `command` for that group."""
    names = [str(group["name"]) for group in json.loads(client.get(QUEUE))["groups"]]
    near = nearest(name, [known for known in names if known != name], ())
    hint = f"did you mean: {command} {near}" if near else "jobctl group ls lists the groups"
    return NotFound(message, hint=hint)
