"""The streaming endpoints: a job's log, the event feed, files of a workspace."""

import asyncio
import logging
from collections.abc import AsyncIterator

import msgspec
from aiohttp import web

from jobd.api.body import Parameters
from jobd.api.context import StoredData, context_of
from jobd.api.memory import reserve_copy
from jobd.budget import EVICTED
from jobd.errors import InvalidRequest
from jobd.jobs.log.log_view import KEEP_ALIVE_S, LogQuery
from jobd.jobs.record.record import Record
from jobd.store.tables.rows import StoredEvent
from jobd.wire.validation.limits import MAX_PATH

MAX_SEQ = 10**18 - 1
STREAMS = frozenset({"stdout", "stderr"})

STALL_LIMIT_S = 600.0
"""jobd closes the connection of a client that reads nothing for so long."""

FOLLOWERS: web.AppKey[set[asyncio.Task[object]]] = web.AppKey("followers")
"""The tasks of requests that follow a stream; jobd's shutdown cancels them."""

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
    field = "after"
    as_sse = "text/event-stream" in request.headers.get("Accept", "")
    if as_sse and (last := request.headers.get("Last-Event-ID")):
        if not last.isascii() or not last.isdecimal() or len(last) > 18:
            raise InvalidRequest("Last-Event-ID is no event number of this feed", field="Last-Event-ID")
        after, field = int(last), "Last-Event-ID"
    if after:
        await _check_event(context.store, after, field)
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
    async with reserve_copy(context.copies):
        source = await context.jobs.open_files(request.match_info["id"], path)
        return await stream(request, source, "application/x-tar")


async def _check_event(store: StoredData, after: int, field: str) -> None:
    """Refuses an event number that this database has not assigned: its reader would miss all events up to that number."""
    last = await store.last_seq()
    if after > last:
        raise InvalidRequest(
            f"{field} is {after}, but the last event has number {last}: the number is from another database, or wrong; "
            f"start with after=0 for all stored events, or after={last} for new events",
            code="unknown-cursor",
            field=field,
        )


async def _check_line(store: StoredData, record: Record, after: int) -> None:
    """Refuses a line number that the job's log does not have: it may be from the log of an earlier job with the same id."""
    last = max(record.log.seq, (await store.log_stats(record.uid)).last_seq)
    if after > last:
        raise InvalidRequest(
            f"after is {after}, but the last line of job {record.id!r} has number {last}: the number is from another job "
            f"or database, or wrong; start with after=0 for the whole log, or after={last} for new lines",
            code="unknown-cursor",
            field="after",
        )


async def close_followers(app: web.Application) -> None:
    """Cancels the requests that follow a stream, at jobd's shutdown: they would use up the time for all other requests."""
    for task in app[FOLLOWERS]:
        task.cancel()


async def stream(
    request: web.Request, source: AsyncIterator[bytes], content_type: str, *, follows: bool = False
) -> web.StreamResponse:
    """Sends the parts of `source` one by one, until the client disconnects.

    `follows`: the response may never end. If `source` fails, or the client does not read, jobd aborts the connection: the status
    line is already sent, so only an abort shows that something is missing. The client resumes from the last number that it has.
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
            del part  # frees the part: while the source waits, its bytes are not reserved
        async with asyncio.timeout(STALL_LIMIT_S):
            await response.write_eof()
    except ConnectionError:
        pass  # the client has disconnected
    except asyncio.CancelledError as error:
        if EVICTED in error.args:
            _abort_slow_reader(request)
        raise
    except TimeoutError:
        _abort_slow_reader(request)
    except Exception:
        log.exception(
            "stream aborted", extra={"action": "http", "method": request.method, "path": request.path}
        )
        if request.transport is not None:
            request.transport.abort()
    finally:
        if follows and task is not None:
            request.app[FOLLOWERS].discard(task)
        close = getattr(source, "aclose", None)
        if close is not None:
            await close()
    return response


def _abort_slow_reader(request: web.Request) -> None:
    """Aborts the connection of a client that does not read, which frees its buffers."""
    log.info(
        "slow reader disconnected", extra={"action": "http", "method": request.method, "path": request.path}
    )
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
        del event  # frees the event: while the source waits, its bytes are not reserved
