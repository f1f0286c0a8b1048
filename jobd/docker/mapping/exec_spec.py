"""Builds the request bodies of an exec. Pure.

Source: Docker Engine API, ContainerExec, ExecStart.
"""

from jobd.docker.mapping.container_options import Body
from jobd.jobs.port.model import Command

_NO_KEYS = "ctrl-@,ctrl-^,ctrl-@,ctrl-_,ctrl-@,ctrl-^,ctrl-@,ctrl-_"
"""The detach keys, which the engine reads unless a request names others. JSON cannot name bytes that no terminal sends, so these are
keys that nobody presses in this order. The engine holds a first key back until the next key shows that no detach follows."""


def create_body(command: Command) -> Body:
    """Returns the body that creates an exec."""
    body: Body = {
        "AttachStdin": command.stdin,
        "AttachStdout": True,
        "AttachStderr": not command.tty,
        "Tty": command.tty,
        "DetachKeys": _NO_KEYS,
        "Cmd": list(command.arguments),
        "Env": [f"{name}={value}" for name, value in command.environment.items()],
        **_size(command),
    }
    if command.workdir is not None:
        body["WorkingDir"] = command.workdir
    if command.user is not None:
        body["User"] = command.user
    return body


def start_body(command: Command) -> Body:
    """Returns the body that starts an exec and connects to it."""
    return {"Detach": False, "Tty": command.tty, **_size(command)}


def _size(command: Command) -> Body:
    # Engines before API 1.42 ignore the field.
    return {"ConsoleSize": [command.size.rows, command.size.columns]} if command.size and command.tty else {}
