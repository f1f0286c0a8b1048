"""The calls that stream: a job's log, the event feed, files out of a workspace."""

import asyncio
import logging
from collections.abc import AsyncIterator

import msgspec
from aiohttp import web

from jobd.api.body import Parameters
from jobd.api.context import context_of
from jobd.api.memory import copy_room
from jobd.budget import EVICTED
from jobd.errors import InvalidRequest
from jobd.jobs.log.log_view import KEEP_ALIVE_S, LogQuery
from jobd.jobs.state.record import Record
from jobd.store.store import Store
from jobd.store.tables.rows import StoredEvent
from jobd.wire.validation.limits import MAX_PATH

MAX_SEQ = 10**18 - 1
STREAMS = frozenset({"stdout", "stderr"})

STALL_LIMIT_S = 600.0
"""A client that takes nothing for so long has left, or might as well have."""

FOLLOWERS: web.AppKey[set[asyncio.Task[object]]] = web.AppKey("followers")
"""The requests that go on until something outside ends them; jobd's end does."""

log = logging.getLogger(__name__)

_encoder = msgspec.json.Encoder()


async def logs(request: web.Request) -> web.StreamResponse:
    """`GET /v1/jobs/{id}/logs`: NDJSON."""
    context = context_of(request)
    parameters = Parameters(request)
    query = LogQuery(
        follow=parameters.flag("follow"),
        after=parameters.number("after", 0, 0, MAX_SEQ),
        tail=parameters.optional_number("tail", 0, MAX_SEQ),
        stream=parameters.one_of("stream", STREAMS),
        unfinished=parameters.flag("unfinished"),
    )
    parameters.done()
    record = await context.jobs.find(request.match_info["id"])
    if query.after:
        await _check_line(context.store, record, query.after)
    source = context.logs.frames(record, query)
    return await stream(request, source, "application/x-ndjson", follows=query.follow)


async def events(request: web.Request) -> web.StreamResponse:
    """`GET /v1/events`: SSE where the client accepts it, else NDJSON."""
    context = context_of(request)
    parameters = Parameters(request)
    follow = parameters.flag("follow")
    after = parameters.number("after", 0, 0, MAX_SEQ)
    job_id = parameters.text("job")
    parameters.done()
    uid = await context.jobs.uid_of(job_id) if job_id else None
    named = "after"
    as_sse = "text/event-stream" in request.headers.get("Accept", "")
    if as_sse and (last := request.headers.get("Last-Event-ID")):
        if not last.isascii() or not last.isdecimal() or len(last) > 18:
            raise InvalidRequest("Last-Event-ID is none of this feed's", field="Last-Event-ID")
        after, named = int(last), "Last-Event-ID"
    if after:
        await _check_event(context.store, after, named)
    source = context.feed.read(after, uid, follow=follow, quiet_s=KEEP_ALIVE_S)
    kind = "text/event-stream" if as_sse else "application/x-ndjson"
    return await stream(request, _event_frames(source, as_sse), kind, follows=follow)


async def files(request: web.Request) -> web.StreamResponse:
    """`GET /v1/jobs/{id}/files`: tar."""
    parameters = Parameters(request)
    path = parameters.text("path", ".") or "."
    parameters.done()
    if len(path) > MAX_PATH:
        raise InvalidRequest(f"path must be at most {MAX_PATH} characters", field="path")
    context = context_of(request)
    async with copy_room(context.copies):
        source = await context.jobs.open_files(request.match_info["id"], path)
        return await stream(request, source, "application/x-tar")


async def _check_event(store: Store, after: int, named: str) -> None:
    """Refuses a number that this database never gave: whoever waits after it would miss all that comes until then."""
    last = await store.last_seq()
    if after > last:
        raise InvalidRequest(
            f"{named} is {after}, and the last event has number {last}: the number is of another database, or a mistake; "
            f"begin with after=0 for all that is kept, or after={last} for what comes next",
            code="unknown-cursor",
            field=named,
        )


async def _check_line(store: Store, record: Record, after: int) -> None:
    """The same for a job's log: another job may have had its id, and the number is of that one's log."""
    last = max(record.log.seq, (await store.log_stats(record.uid)).last_seq)
    if after > last:
        raise InvalidRequest(
            f"after is {after}, and the last line of job {record.id!r} has number {last}: the number is of another job "
            f"or database, or a mistake; begin with after=0 for the whole log, or after={last} for what comes next",
            code="unknown-cursor",
            field="after",
        )


async def close_followers(app: web.Application) -> None:
    """Ends the requests that follow something, at jobd's end: waiting for them would use up the time of all others."""
    for task in app[FOLLOWERS]:
        task.cancel()


async def stream(
    request: web.Request, source: AsyncIterator[bytes], content_type: str, *, follows: bool = False
) -> web.StreamResponse:
    """Sends what `source` yields as it comes; a client that goes away ends it quietly.

    `follows`: it may go on for ever. Where `source` fails the connection is cut: the status is on its way, and only that tells
    that something is missing. So it is where the client does not read: it goes on from the last number that it has.
    """
    response = web.StreamResponse(headers={"Content-Type": content_type, "Cache-Control": "no-store"})
    await response.prepare(request)
    task = asyncio.current_task()
    if follows and task is not None:
        request.app[FOLLOWERS].add(task)
    try:
        async for part in source:
            async with asyncio.timeout(STALL_LIMIT_S):
                await response.write(part)
            del part  # nothing may live on here while the next part is waited for: nobody counts it then
        async with asyncio.timeout(STALL_LIMIT_S):
            await response.write_eof()
    except ConnectionError:
        pass  # the client has left
    except asyncio.CancelledError as error:
        if EVICTED in error.args:
            _cut_off(request)
        raise
    except TimeoutError:
        _cut_off(request)
    except Exception:
        log.exception("stream cut", extra={"action": "http", "method": request.method, "path": request.path})
        if request.transport is not None:
            request.transport.abort()
    finally:
        if follows and task is not None:
            request.app[FOLLOWERS].discard(task)
        close = getattr(source, "aclose", None)
        if close is not None:
            await close()
    return response


def _cut_off(request: web.Request) -> None:
    """Ends the connection of a client that does not read; its buffers go with it."""
    log.info("slow reader cut off", extra={"action": "http", "method": request.method, "path": request.path})
    if request.transport is not None:
        request.transport.abort()


async def _event_frames(source: AsyncIterator[StoredEvent | None], as_sse: bool) -> AsyncIterator[bytes]:
    async for event in source:
        if event is None:
            yield b":\n\n" if as_sse else b"\n"
        elif as_sse:
            yield b"id: %d\nevent: %s\ndata: %s\n\n" % (event.seq, event.type.encode(), event.body)
        else:
            yield _encoder.encode({"seq": event.seq, "event": msgspec.Raw(event.body)}) + b"\n"
        del event  # it is counted no more while the next one is waited for
