"""A container's standard input, alone or with its output, over a hijacked HTTP connection.

Owns the upgrade and the raw bytes after it: neither the SDK nor aiohttp supports a half-close.

Source: Docker Engine API, ContainerAttach, "Hijacking".
"""

import asyncio
import contextlib
from types import TracebackType
from typing import Self

from jobd.docker.http.endpoint import Endpoint
from jobd.docker.http.errors import message_of, refusal
from jobd.docker.http.http_session import Timeouts
from jobd.jobs.port.errors import EngineUnavailable

_HEAD_BYTES = 16 * 1024


class Attached:
    """An open standard input. As an async context manager, closes the connection at exit."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, timeouts: Timeouts
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._timeouts = timeouts
        self._written = False

    async def write_all(self, data: bytes) -> None:
        """Writes `data`, closes the input, and returns once the engine has forwarded all bytes.

        Raises: EngineUnavailable: the container may have read a part.
        """
        try:
            async with asyncio.timeout(self._timeouts.answer_s):
                self._writer.write(data)
                await self._writer.drain()
                self._written = True
                if not self._writer.can_write_eof():
                    return  # TLS has no half-close: the exit flushes and closes both directions
                self._writer.write_eof()
                while await self._reader.read(_HEAD_BYTES):
                    pass
        except (OSError, TimeoutError) as error:
            raise EngineUnavailable(
                f"cannot write the container's input: {str(error) or 'not read in time'}"
            ) from error

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._written:
            # The container did not read in time: drop the buffered bytes.
            self._writer.transport.abort()
            return
        self._writer.close()
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(self._timeouts.connect_s):
                await self._writer.wait_closed()


async def attach_stdin(
    endpoint: Endpoint, timeouts: Timeouts, api_version: str, container_id: str
) -> Attached:
    """Opens a container's standard input, before the container's start.

    Raises: Refusal, ServerError: the engine refused. EngineUnavailable.
    """
    reader, writer = await _connected(endpoint, timeouts)
    attached = Attached(reader, writer, timeouts)
    try:
        await _upgraded(
            reader, writer, timeouts, f"/v{api_version}/containers/{container_id}/attach?stream=1&stdin=1"
        )
    except BaseException:
        await attached.__aexit__(None, None, None)
        raise
    return attached


async def attach_dialogue(
    endpoint: Endpoint, timeouts: Timeouts, api_version: str, container_id: str
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Opens a container's standard input and output, before the container's start. The output comes in frames (`frames.py`).

    Raises: Refusal, ServerError: the engine refused. EngineUnavailable.
    """
    target = f"/v{api_version}/containers/{container_id}/attach?stream=1&stdin=1&stdout=1"
    return await hijack(endpoint, timeouts, target)


async def hijack(
    endpoint: Endpoint, timeouts: Timeouts, target: str, body: bytes = b""
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Sends a POST with a JSON body, if any, and returns the connection for raw bytes in both directions.

    Raises: Refusal, ServerError: the engine refused. EngineUnavailable.
    """
    reader, writer = await _connected(endpoint, timeouts)
    try:
        await _upgraded(reader, writer, timeouts, target, body)
    except BaseException:
        writer.transport.abort()
        raise
    return reader, writer


async def connect(endpoint: Endpoint) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Opens a new connection to the engine. Raises: OSError."""
    if endpoint.socket_path is not None:
        return await asyncio.open_unix_connection(endpoint.socket_path, limit=_HEAD_BYTES)
    context = None if endpoint.tls is None else endpoint.tls.context()
    return await asyncio.open_connection(endpoint.host, endpoint.port, ssl=context, limit=_HEAD_BYTES)


async def _connected(
    endpoint: Endpoint, timeouts: Timeouts
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    try:
        async with asyncio.timeout(timeouts.connect_s):
            return await connect(endpoint)
    except (OSError, TimeoutError) as error:
        raise EngineUnavailable(f"cannot attach to a container at {endpoint.url}: {error}") from error


async def _upgraded(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    timeouts: Timeouts,
    target: str,
    body: bytes = b"",
) -> None:
    """Upgrades the connection. Raises: Refusal, ServerError, EngineUnavailable."""
    try:
        async with asyncio.timeout(timeouts.answer_s):
            await _upgrade(reader, writer, target, body)
    except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
        raise EngineUnavailable(f"the engine closed an attach: {error}") from error


async def _upgrade(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, target: str, body: bytes
) -> None:
    kind = "Content-Type: application/json\r\n" if body else ""
    writer.write(
        f"POST {target} HTTP/1.1\r\nHost: engine\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n"
        f"{kind}Content-Length: {len(body)}\r\n\r\n".encode()
        + body
    )
    await writer.drain()
    head = await reader.readuntil(b"\r\n\r\n")
    status = head.split(b" ", 2)[1:2]
    code = int(status[0]) if status and status[0].isdigit() else 0
    # If a proxy drops the upgrade header, the engine answers 200 and hijacks the connection as well.
    if code not in (101, 200):
        raise refusal(code or 500, message_of(await reader.read(_HEAD_BYTES)))
