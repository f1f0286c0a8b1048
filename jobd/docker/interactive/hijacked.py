"""A hijacked connection of the engine as the input of a process.

Owns the writing, the end of the input, and the end of the connection. `http/attach.py` opens the connection.

Source: Docker Engine API, ContainerAttach, "Hijacking".
"""

import asyncio
import contextlib

from jobd.docker.http.http_session import Timeouts
from jobd.jobs.port.errors import ContainerGone


class HijackedInput:
    """Implements `port.interactive.ProcessInput`. asyncio buffers up to 64 KiB, and one write more."""

    def __init__(self, writer: asyncio.StreamWriter, timeouts: Timeouts) -> None:
        self._writer = writer
        self._timeouts = timeouts

    async def write(self, data: bytes) -> None:
        """Sends bytes; waits while the process does not read. Raises: ContainerGone: the engine has closed the connection."""
        try:
            self._writer.write(data)
            await self._writer.drain()
        except OSError as error:
            raise _over(error) from error
        if self._writer.is_closing():
            raise _over(None)

    async def end(self) -> None:
        """Sends the end of the input after all bytes. Repeats safely. Raises: ContainerGone."""
        if self._writer.is_closing():
            return
        try:
            await self._writer.drain()
            if self._writer.can_write_eof():
                self._writer.write_eof()
            else:
                self._writer.close()  # TLS has no half-close: the connection ends once all bytes are sent
        except OSError as error:
            raise _over(error) from error

    async def close(self) -> None:
        """Ends the connection. Bytes that the process does not read in time are dropped."""
        self._writer.close()
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(self._timeouts.connect_s):
                await self._writer.wait_closed()
        self._writer.transport.abort()


def _over(error: OSError | None) -> ContainerGone:
    return ContainerGone(f"the process reads no more input{f': {error}' if error else ''}")
