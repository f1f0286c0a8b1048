"""Memory budgets of requests: of bodies while a handler runs, and of responses until their clients have read them.

Owns which requests reserve memory, and how much. Streams of events and logs reserve memory themselves, page by page. The handler of
a multipart body reserves memory itself, since the files go to the disk. The number of connections limits the rest: a connection
buffers up to 128 KiB and one part of its response.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from jobd.budget import EVICTED, BudgetExhausted, ByteBudget, Reservation
from jobd.errors import Unavailable
from jobd.wire.validation.limits import MAX_BODY_BYTES

BODIES_BYTES = 32 << 20
"""The budget of all request bodies together."""
READERS_BYTES = 32 << 20
"""The budget of all clients together that read events, logs, lists and jobs."""
COPY_BYTES = 4 << 20
"""The most memory that one file download needs: the engine's stream buffers 1 MiB and one read of the socket, as much is on its way to
the client, and as much is in the connection's buffer.
"""
COPIES_BYTES = 16 * COPY_BYTES
"""The budget of all file downloads together. jobd evicts none of them: a client cannot resume a download."""
SESSION_BYTES = 1 << 20
"""The most memory that one attached client needs: 192 KiB in each of its buffers of received, of read and of sent bytes, and one
message of 256 KiB.
"""
SESSIONS_BYTES = 64 * SESSION_BYTES
"""The budget of all attached clients together, which stay as long as they want."""
READER_PATIENCE_S = 2.0
"""jobd evicts a client that has read nothing for so long while other clients wait."""
WAIT_LIMIT_S = 30.0
SEND_LIMIT_S = 120.0
SHORT_BYTES = 64 << 10
"""A response up to this length is sent as any other: a connection buffers as much in any case."""


def memory_budget(
    bodies: ByteBudget, readers: ByteBudget, responses: Mapping[tuple[str, str], int]
) -> Middleware:
    """Returns the middleware in which a request waits for a budget. `responses`: method and path template to the bytes that a long
    response may need; the middleware sends such a response itself, within its reservation.
    """

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.body_exists and request.content_type != "multipart/form-data":
            async with reserve_body(bodies, request.content_length):
                return await handler(request)
        resource = request.match_info.route.resource
        size = responses.get((request.method, resource.canonical if resource is not None else ""))
        if size is None:
            return await handler(request)
        return await respond_within(readers, size, request, handler)

    return middleware


async def respond_within(
    readers: ByteBudget, size: int, request: web.Request, handler: Handler
) -> web.StreamResponse:
    """Returns the handler's response, made within `size` bytes of the budget; sends a long response itself. Raises Unavailable."""
    try:
        reservation = await readers.acquire(size, limit_s=WAIT_LIMIT_S)
    except BudgetExhausted:
        raise _busy() from None
    try:
        response = await handler(request)
        if isinstance(response, web.Response) and isinstance(response.body, bytes):
            length = len(response.body)
            if length > SHORT_BYTES:
                # Twice: the connection copies the bytes that its client does not read at once.
                reservation.resize(2 * length)
                await _send(request, response)
        return response
    except asyncio.CancelledError as error:
        if EVICTED in error.args:
            _abort(request)
        raise
    finally:
        readers.release(reservation)


@asynccontextmanager
async def reserve_body(bodies: ByteBudget, size: int | None) -> AsyncIterator[Reservation]:
    """Reserves memory for a body of `size` bytes, or of the maximum where that is None. Raises Unavailable."""
    async with _reserve(bodies, min(MAX_BODY_BYTES if size is None else size, MAX_BODY_BYTES)) as reservation:
        yield reservation


@asynccontextmanager
async def reserve_copy(copies: ByteBudget) -> AsyncIterator[None]:
    """Reserves memory for a file download. Raises Unavailable."""
    async with _reserve(copies, COPY_BYTES):
        yield


@asynccontextmanager
async def reserve_session(sessions: ByteBudget) -> AsyncIterator[None]:
    """Reserves memory for an attached client. Raises Unavailable."""
    async with _reserve(sessions, SESSION_BYTES):
        yield


@asynccontextmanager
async def _reserve(budget: ByteBudget, size: int) -> AsyncIterator[Reservation]:
    try:
        async with budget.reserve(size, limit_s=WAIT_LIMIT_S) as reservation:
            yield reservation
    except BudgetExhausted:
        raise _busy() from None


def _busy() -> Unavailable:
    return Unavailable("too many requests are under way; try again in a moment", code="busy")


async def _send(request: web.Request, response: web.Response) -> None:
    try:
        async with asyncio.timeout(SEND_LIMIT_S):
            await response.prepare(request)
            await response.write_eof()
    except TimeoutError:
        _abort(request)


def _abort(request: web.Request) -> None:
    """Closes the connection of a client that does not read, which frees its buffers."""
    if request.transport is not None:
        request.transport.abort()
