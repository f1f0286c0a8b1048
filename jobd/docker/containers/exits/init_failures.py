"""Whether a container's init could not execute the command. The engine starts the init, so that no start fails.

The init then says so in the container's log, as the only entry, and ends with the exit code that a shell would have.

Source: Docker Engine API, ContainerLogs (`tail`); docs/adr/0021-an-init-by-default.md.
"""

import json
import re

from jobd.docker.engine import Engine
from jobd.docker.http.errors import Refusal, ServerError
from jobd.docker.logs.frames import DamagedLog, Frames
from jobd.docker.mapping.failures import failure
from jobd.jobs.port.errors import EngineUnavailable
from jobd.jobs.port.model import StreamName

CODES = frozenset({126, 127})
"""The exit codes of an init whose command is not executable, or does not exist."""
_MESSAGE = re.compile(
    rb"^\[FATAL tini \(\d+\)\] exec (?P<program>.*) failed: (?P<why>[^\n]*)\n?\Z", re.DOTALL
)
_BEGIN = b"[FATAL tini ("
_ENTRIES = 2
_LONGEST_BYTES = 64 << 10


async def not_executed(engine: Engine, container_id: str) -> str | None:
    """Returns what is wrong with the command, if the log of an ended container is the init's message alone; None otherwise, and if the
    log cannot be read.
    """
    data = b""
    try:
        path = await engine.path(f"/containers/{container_id}/logs")
        params = {"stdout": "1", "stderr": "1", "tail": str(_ENTRIES)}
        async with engine.streams.open(
            "GET", path, params=params, silence_s=engine.timeouts.answer_s
        ) as body:
            async for chunk in body.chunks():
                data += chunk
                if len(data) > _LONGEST_BYTES:
                    return None
        return said(only_entry(data))
    except (Refusal, ServerError, EngineUnavailable, DamagedLog):
        return None


def only_entry(data: bytes) -> bytes:
    """Returns the only entry of a log, b"" if there are more, or if the entry went to stdout. The log of a terminal has no frames."""
    if data.startswith(_BEGIN):
        return data.replace(b"\r\n", b"\n")
    found: list[tuple[StreamName, bytes]] = list(Frames().feed(data))
    return found[0][1] if len(found) == 1 and found[0][0] == "stderr" else b""


def said(entry: bytes) -> str | None:
    """Returns what this message of the init means, in the words of a failed start; None: the entry is no such message."""
    message = _MESSAGE.match(entry)
    if message is None:
        return None
    program = json.dumps(message["program"].decode(errors="replace"), ensure_ascii=False)
    why = message["why"].decode(errors="replace")
    return failure("start", 400, f"exec: {program}: {why}").words
