"""Whether an engine accepts new connections: while an engine stops, it still answers on open connections."""

import asyncio

from jobd.docker.http.attach import connect
from jobd.docker.http.endpoint import Endpoint

LIMIT_S = 1.0
"""An engine that is still starting behind systemd's socket takes longer to answer."""
_HEAD_BYTES = 1024


async def is_answering(endpoint: Endpoint, limit_s: float = LIMIT_S) -> bool:
    """Returns whether the engine answers a ping on a new connection within `limit_s`. Never raises OSError."""
    try:
        async with asyncio.timeout(limit_s):
            reader, writer = await connect(endpoint)
            try:
                writer.write(b"GET /_ping HTTP/1.1\r\nHost: engine\r\nConnection: close\r\n\r\n")
                await writer.drain()
                head = await reader.read(_HEAD_BYTES)
            finally:
                writer.transport.abort()
    except (OSError, TimeoutError):
        return False
    return head.split(b" ", 2)[1:2] == [b"200"]
