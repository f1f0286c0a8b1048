"""Whether an engine takes new connections: one that is being stopped goes on answering, in its own way, on those that it has.

Owns one question over a connection of its own. Knows nothing of jobs.
"""

import asyncio

from jobd.docker.http.attach import connect
from jobd.docker.http.endpoint import Endpoint

LIMIT_S = 1.0
"""One that is only starting, behind a socket that others hold open for it, takes longer to answer."""
_HEAD_BYTES = 1024


async def is_answering(endpoint: Endpoint, limit_s: float = LIMIT_S) -> bool:
    """Returns whether the engine answers a ping that came on a new connection, within `limit_s`. Never raises OSError."""
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
