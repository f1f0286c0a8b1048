"""What requests hold in memory, all of them together: bodies while they are handled, answers until their client has read them.

Owns which requests are counted and by how much. Streams of events and logs count themselves, page by page; a multipart body is
counted by its handler, since its files go to the disk. What a connection holds beside that is bounded by the number of connections:
what the kernel has not taken of its answer, 128 KiB and one part of it.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from jobd.budget import EVICTED, ByteBudget, Hold, NoRoom
from jobd.errors import Unavailable
from jobd.wire.validation.limits import MAX_BODY_BYTES

BODIES_BYTES = 32 << 20
"""What all request bodies hold together."""
READERS_BYTES = 32 << 20
"""What all clients that read events, logs, lists and jobs hold together."""
COPY_BYTES = 4 << 20
"""What one copy of files out of a job may hold: the engine's stream reads ahead 1 MiB and what comes in one go, the same again is
under way, and again in the connection.
"""
COPIES_BYTES = 16 * COPY_BYTES
"""What all of them hold together. None is cut off for another: a copy cannot go on where it was."""
READER_PATIENCE_S = 2.0
"""A client that has taken nothing for so long gives way where others wait."""
WAIT_LIMIT_S = 30.0
SEND_LIMIT_S = 120.0


def sharing_memory(
    bodies: ByteBudget, readers: ByteBudget, answers: Mapping[tuple[str, str], int]
) -> Middleware:
    """Returns the middleware that lets a request wait for room. `answers`: method and path template to the bytes that an answer
    may have, for answers that may be long; such an answer is sent here, while it is counted.
    """

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.body_exists and request.content_type != "multipart/form-data":
            async with body_room(bodies, request.content_length):
                return await handler(request)
        resource = request.match_info.route.resource
        size = answers.get((request.method, resource.canonical if resource is not None else ""))
        if size is None:
            return await handler(request)
        try:
            async with _room(readers, size) as hold:
                response = await handler(request)
                if isinstance(response, web.Response):
                    # Twice: the connection copies what its client does not read at once.
                    hold.measured(2 * len(response.body) if isinstance(response.body, bytes) else 0)
                    await _send(request, response)
                return response
        except asyncio.CancelledError as error:
            if EVICTED in error.args:
                _abort(request)
            raise

    return middleware


@asynccontextmanager
async def body_room(bodies: ByteBudget, size: int | None) -> AsyncIterator[Hold]:
    """Holds room for a body of `size` bytes, or of the longest there may be. Raises Unavailable."""
    async with _room(bodies, min(MAX_BODY_BYTES if size is None else size, MAX_BODY_BYTES)) as hold:
        yield hold


@asynccontextmanager
async def copy_room(copies: ByteBudget) -> AsyncIterator[None]:
    """Holds room for a copy of files out of a job. Raises Unavailable."""
    async with _room(copies, COPY_BYTES):
        yield


@asynccontextmanager
async def _room(budget: ByteBudget, size: int) -> AsyncIterator[Hold]:
    try:
        async with budget.hold(size, limit_s=WAIT_LIMIT_S) as hold:
            yield hold
    except NoRoom:
        raise Unavailable("too many requests are under way; try again in a moment", code="busy") from None


async def _send(request: web.Request, response: web.Response) -> None:
    try:
        async with asyncio.timeout(SEND_LIMIT_S):
            await response.prepare(request)
            await response.write_eof()
    except TimeoutError:
        _abort(request)


def _abort(request: web.Request) -> None:
    """Ends the connection of a client that does not read; its buffers go with it."""
    if request.transport is not None:
        request.transport.abort()
