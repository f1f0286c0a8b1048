"""The endpoints of the queue and its groups: show, set, remove, pause, resume; and their part of the table of routes."""

from typing import Annotated

import msgspec
from aiohttp import web

from jobd.api.body import Parameters, decode, read_json_bytes
from jobd.api.context import context_of
from jobd.api.respond import json_response
from jobd.api.route import Route
from jobd.errors import InvalidRequest
from jobd.wire.validation.body import BodyDecoder
from jobd.wire.views.queue import GroupView, QueueView

MAX_LIMIT = 1_000_000

Limit = Annotated[int, msgspec.Meta(extra_json_schema={"minimum": 1, "maximum": MAX_LIMIT})]
"""Bounds for the OpenAPI document only: `put_group` checks them, so that its refusal names the field in the usual form."""


class GroupBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings of a group: how many of its jobs may run at once (absent: no limit); `paused`, absent: as before; `temporary`:
    jobd removes the settings an hour after the group's last job, absent: as before.
    """

    limit: Limit | None = None
    paused: bool | None = None
    temporary: bool | None = None


class PauseBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The optional body of a pause. `running`: true also pauses running jobs, false lets them run again; absent: as before."""

    running: bool | None = None


_decoder = BodyDecoder(GroupBody)
_pause_decoder = BodyDecoder(PauseBody)


async def show_queue(request: web.Request) -> web.StreamResponse:
    """`GET /v1/queue`."""
    Parameters(request).done()
    return json_response(context_of(request).groups.show_queue())


async def pause_queue(request: web.Request) -> web.StreamResponse:
    """`POST /v1/queue/pause`: the body is optional."""
    Parameters(request).done()
    return json_response(await context_of(request).groups.pause_all(True, await _running(request)))


async def resume_queue(request: web.Request) -> web.StreamResponse:
    """`POST /v1/queue/resume`."""
    Parameters(request).done()
    return json_response(await context_of(request).groups.pause_all(False))


async def show_group(request: web.Request) -> web.StreamResponse:
    """`GET /v1/groups/{name}`."""
    Parameters(request).done()
    return json_response(context_of(request).groups.show(request.match_info["name"]))


async def put_group(request: web.Request) -> web.StreamResponse:
    """`PUT /v1/groups/{name}`."""
    Parameters(request).done()
    body = decode(await read_json_bytes(request), _decoder)
    if body.limit is not None and not 1 <= body.limit <= MAX_LIMIT:
        raise InvalidRequest(
            f"limit: must be from 1 to {MAX_LIMIT}; without it there is no limit", field="limit"
        )
    return json_response(
        await context_of(request).groups.put(
            request.match_info["name"], body.limit, body.paused, body.temporary
        )
    )


async def remove_group(request: web.Request) -> web.StreamResponse:
    """`DELETE /v1/groups/{name}`."""
    Parameters(request).done()
    await context_of(request).groups.remove(request.match_info["name"])
    return web.Response(status=204)


async def pause_group(request: web.Request) -> web.StreamResponse:
    """`POST /v1/groups/{name}/pause`: the body is optional."""
    Parameters(request).done()
    running = await _running(request)
    return json_response(await context_of(request).groups.pause(request.match_info["name"], True, running))


async def resume_group(request: web.Request) -> web.StreamResponse:
    """`POST /v1/groups/{name}/resume`."""
    Parameters(request).done()
    return json_response(await context_of(request).groups.pause(request.match_info["name"], False))


async def _running(request: web.Request) -> bool | None:
    content = await read_json_bytes(request, optional=True)
    return decode(content, _pause_decoder).running if content else None


ROUTES: tuple[Route, ...] = (
    Route(
        "GET",
        "/v1/queue",
        show_queue,
        "The queue and its groups",
        {200: (QueueView,)},
        response_bytes=256 << 10,
    ),
    Route(
        "POST",
        "/v1/queue/pause",
        pause_queue,
        "Start no job, or pause the running jobs too",
        {200: (QueueView,)},
        (413, 415, 507),
        body=PauseBody,
        body_required=False,
    ),
    Route(
        "POST",
        "/v1/queue/resume",
        resume_queue,
        "Start jobs again, and let paused ones run again",
        {200: (QueueView,)},
        (507,),
    ),
    Route("GET", "/v1/groups/{name}", show_group, "Show a group", {200: (GroupView,)}, (404,)),
    Route(
        "PUT",
        "/v1/groups/{name}",
        put_group,
        "Set a group's limit and pause",
        {200: (GroupView,)},
        (409, 413, 415, 507),
        body=GroupBody,
    ),
    Route(
        "DELETE",
        "/v1/groups/{name}",
        remove_group,
        "Remove a group's settings",
        {204: ()},
        (404, 409, 507),
    ),
    Route(
        "POST",
        "/v1/groups/{name}/pause",
        pause_group,
        "Start no job of a group, or pause its running jobs too",
        {200: (GroupView,)},
        (404, 409, 413, 415, 507),
        body=PauseBody,
        body_required=False,
    ),
    Route(
        "POST",
        "/v1/groups/{name}/resume",
        resume_group,
        "Start jobs of a group again, and let paused ones run again",
        {200: (GroupView,)},
        (404, 409, 507),
    ),
)
