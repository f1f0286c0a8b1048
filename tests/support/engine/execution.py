"""A command in a container, with all of its output.

The SDK's own `exec_run` reads the connection beneath the buffer that has read the head of the response: output that arrives together with the
head is lost, which happens where the reader is late by as long as the command takes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from docker.models.containers import Container

_HEAD = 8
_STDOUT, _STDERR = 1, 2


@dataclass(frozen=True, slots=True)
class Done:
    """A command that has ended."""

    code: int
    out: str
    err: str


def execute(
    container: Container,
    command: Sequence[str],
    *,
    user: str = "",
    environ: Mapping[str, str] | None = None,
) -> Done:
    """Runs a command to its end, in the folder /. The caller bounds its time."""
    assert container.client is not None
    api = container.client.api
    exec_id = api.exec_create(
        container.id, list(command), user=user, environment=dict(environ or {}), workdir="/"
    )["Id"]
    # Without an Upgrade the response is plain HTTP, which ends with the connection.
    response = api.post(
        f"{api.base_url}/v{api.api_version}/exec/{exec_id}/start",
        json={"Detach": False, "Tty": False},
        stream=True,
        timeout=None,
    )
    with response:
        response.raise_for_status()
        streams = _streams(response.raw.read())
    found: dict[str, Any] = api.exec_inspect(exec_id)
    return Done(found["ExitCode"], streams[_STDOUT], streams[_STDERR])


def _streams(data: bytes) -> dict[int, str]:
    """Source: Docker Engine API, ContainerAttach, "Stream format"."""
    found = {_STDOUT: b"", _STDERR: b""}
    at = 0
    while at < len(data):
        end = at + _HEAD + int.from_bytes(data[at + 4 : at + _HEAD], "big")
        found[data[at]] += data[at + _HEAD : end]
        at = end
    return {stream: text.decode(errors="replace") for stream, text in found.items()}
