"""The framing of an exec's or attach's WebSocket: which bytes of a message belong to which stream, and how a command ended.

Pure but for `Channels`, which reads and writes one socket. Source: Kubernetes API v1, Pod (exec, attach), v5.channel.k8s.io.
"""

from collections.abc import AsyncIterator
from typing import Literal

import aiohttp
import msgspec

from jobd.jobs.port.errors import EngineUnavailable
from jobd.jobs.port.model import StreamName
from jobd.kubernetes.mapping.models import Status

STDIN, STDOUT, STDERR, ERROR, RESIZE, CLOSE = 0, 1, 2, 3, 4, 255
CHUNK = 64 << 10
_STREAMS: dict[int, StreamName] = {STDOUT: "stdout", STDERR: "stderr"}
_DROPPED = (aiohttp.ClientError, OSError, TimeoutError)


def exit_code(body: bytes) -> int | None:
    """Returns a command's exit code from the last message of its error channel; None if the message has none."""
    try:
        status = msgspec.json.decode(body, type=Status)
    except msgspec.MsgspecError:
        return None
    if status.status == "Success":
        return 0
    causes = status.details.causes if status.details is not None else []
    code = next((cause.message for cause in causes if cause.reason == "ExitCode"), "")
    return int(code) if code.isascii() and code.isdigit() else None


def failure(body: bytes) -> str:
    """Returns the error text of the error channel's message."""
    try:
        return msgspec.json.decode(body, type=Status).message
    except msgspec.MsgspecError:
        return body[:500].decode("utf-8", "replace")


def query(
    container: str, arguments: tuple[str, ...], *, stdin: bool, tty: bool = False, output: bool = True
) -> list[tuple[str, str]]:
    """Returns the parameters of an exec, or of an attach without `arguments`."""
    flags: tuple[tuple[str, bool], ...] = (
        ("stdin", stdin),
        ("stdout", output),
        ("stderr", output and not tty),
        ("tty", tty),
    )
    return [
        ("container", container),
        *(("command", one) for one in arguments),
        *((name, "true" if on else "false") for name, on in flags),
    ]


class Channels:
    """One open socket. `error` is the error channel's content so far."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self.error = b""
        self.result: Literal["open", "ended", "broken"] = "open"

    async def write(self, data: bytes, channel: int = STDIN) -> None:
        """Sends bytes, in messages of a bounded size. Raises EngineUnavailable."""
        try:
            for begin in range(0, len(data), CHUNK):
                await self._socket.send_bytes(bytes((channel,)) + data[begin : begin + CHUNK])
        except _DROPPED as error:
            raise EngineUnavailable(f"the connection to the container broke: {error}") from error

    async def end(self) -> None:
        """Ends the standard input. Raises EngineUnavailable."""
        try:
            await self._socket.send_bytes(bytes((CLOSE, STDIN)))
        except _DROPPED as error:
            raise EngineUnavailable(f"the connection to the container broke: {error}") from error

    async def output(self) -> AsyncIterator[tuple[StreamName, bytes]]:
        """Yields what the process prints, until its end. Raises EngineUnavailable: the connection broke before."""
        async for message in self._socket:
            if message.type not in (aiohttp.WSMsgType.BINARY, aiohttp.WSMsgType.TEXT) or not message.data:
                continue
            data = message.data.encode() if isinstance(message.data, str) else message.data
            stream = _STREAMS.get(data[0])
            if stream is not None:
                if len(data) > 1:
                    yield stream, data[1:]
            elif data[0] == ERROR:
                self.error += data[1 : 1 + CHUNK - len(self.error)]
        if not self.error:
            self.result = "broken"
            raise EngineUnavailable("the connection to the container broke before the process ended")
        self.result = "ended"
