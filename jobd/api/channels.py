"""A WebSocket as the channels of an attached client: frames, limits, and the end of the connection.

Owns the frames of `jobd/wire/channel.py`, and how a session's error reaches the client. jobd sends no pings: a client whose own output is
blocked reads nothing and would answer none.

Source: docs/attach.md; RFC 6455.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import msgspec
from aiohttp import web

from jobd.api.body import decode
from jobd.api.context import context_of
from jobd.api.endpoints.streams import FOLLOWERS, STALL_LIMIT_S
from jobd.api.memory import reserve_session
from jobd.api.respond import error_body
from jobd.errors import InvalidRequest
from jobd.jobs.interactive.client import InputBytes, InputEnd, Message, Resized
from jobd.jobs.port.model import StreamName, WindowSize
from jobd.wire import channel
from jobd.wire.terminal import Status, TerminalSize
from jobd.wire.validation.body import BodyDecoder

CLOSE_LIMIT_S = 2.0
"""How long jobd waits for the client's answer to a close."""
REQUEST_LIMIT_S = 30.0
"""How long jobd waits for the request of an exec."""
_CHANNELS = {"stdout": bytes([channel.STDOUT]), "stderr": bytes([channel.STDERR])}
_STATUS = bytes([channel.STATUS])

log = logging.getLogger(__name__)

_encoder = msgspec.json.Encoder()
_size_decoder = BodyDecoder(TerminalSize)


class Channels:
    """Implements `jobs.interactive.client.Client`."""

    def __init__(self, socket: web.WebSocketResponse) -> None:
        self.socket = socket

    async def request(self) -> bytes:
        """Returns the first message, on the channel STATUS. Raises InvalidRequest; ConnectionError: the client has left."""
        try:
            async with asyncio.timeout(REQUEST_LIMIT_S):
                data = await self._receive()
        except TimeoutError:
            raise InvalidRequest(
                "the request did not arrive within 30 seconds", code="body-too-slow"
            ) from None
        if data is None:
            raise ConnectionResetError("the client has left")
        if data[0] != channel.STATUS:
            raise InvalidRequest("the first message must be the request, on channel 3", code="channel")
        return data[1:]

    async def messages(self) -> AsyncIterator[Message]:
        """Yields what the client sends, until it leaves. Raises InvalidRequest."""
        while (data := await self._receive()) is not None:
            number = data[0]
            if number == channel.STDIN:
                if len(data) > 1:
                    yield InputBytes(data[1:])
            elif number == channel.RESIZE:
                size = decode(data[1:], _size_decoder)
                yield Resized(WindowSize(size.columns, size.rows))
            elif number == channel.CLOSE and data[1:] == bytes([channel.STDIN]):
                yield InputEnd()
            else:
                raise InvalidRequest(f"a client sends nothing on channel {number}", code="channel")

    async def send(self, stream: StreamName, data: bytes) -> None:
        """Sends output. Raises ConnectionError, TimeoutError."""
        for at in range(0, len(data), channel.PIECE_BYTES):
            await self._send(_CHANNELS[stream] + data[at : at + channel.PIECE_BYTES])

    async def status(self, status: Status) -> None:
        """Sends a status. Raises ConnectionError, TimeoutError."""
        await self._send(_STATUS + _encoder.encode(status))

    async def _send(self, message: bytes) -> None:
        async with asyncio.timeout(STALL_LIMIT_S):
            await self.socket.send_bytes(message)

    async def _receive(self) -> bytes | None:
        """Returns a message of one byte at least; None once the client has left."""
        message = await self.socket.receive()
        if message.type is aiohttp.WSMsgType.BINARY and message.data:
            return bytes(message.data)
        if message.type in (aiohttp.WSMsgType.BINARY, aiohttp.WSMsgType.TEXT):
            raise InvalidRequest("a message must be binary and begin with its channel", code="channel")
        return None


@asynccontextmanager
async def opened(request: web.Request) -> AsyncIterator[Channels]:
    """Accepts the WebSocket; at the end closes it, with the error's body on the channel STATUS if the session fails.

    Raises: InvalidRequest: the request is no WebSocket's. Unavailable: too many clients are attached.
    """
    socket = web.WebSocketResponse(
        protocols=(channel.PROTOCOL,),
        compress=False,
        max_msg_size=channel.REQUEST_BYTES + 2,
        timeout=CLOSE_LIMIT_S,
    )
    if not socket.can_prepare(request):
        raise InvalidRequest(
            "this path is a WebSocket: send Upgrade: websocket with Sec-WebSocket-Version 13",
            code="no-websocket",
        )
    async with reserve_session(context_of(request).sessions_budget):
        await socket.prepare(request)
        channels, task = Channels(socket), asyncio.current_task()
        if task is not None:
            request.app[FOLLOWERS].add(task)
        try:
            yield channels
            await socket.close()
        except (ConnectionError, TimeoutError):
            _abort(request)  # the client has left, or does not read
        except asyncio.CancelledError:
            await socket.close(code=channel.STOPPING, message=b"jobd is stopping")
            raise
        except Exception as error:
            await _fail(request, channels, error)
        finally:
            if task is not None:
                request.app[FOLLOWERS].discard(task)


async def _fail(request: web.Request, channels: Channels, error: Exception) -> None:
    body, status = error_body(error)
    if status == 500:
        fields = {"action": "http", "method": request.method, "path": request.path}
        log.error("request failed", extra=fields, exc_info=error)
    try:
        await channels.status(Status(error=body))
        await channels.socket.close(code=aiohttp.WSCloseCode.INTERNAL_ERROR)
    except (ConnectionError, TimeoutError):
        _abort(request)


def _abort(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()
