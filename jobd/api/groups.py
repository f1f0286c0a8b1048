"""The endpoints of the queue and its groups: show, set, remove, pause, resume."""

from typing import Annotated

import msgspec
from aiohttp import web

from jobd.api.body import Parameters, decode, read_json_bytes
from jobd.api.context import context_of
from jobd.api.respond import json_response
from jobd.errors import InvalidRequest
from jobd.wire.validation.body import BodyDecoder

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


_decoder = BodyDecoder(GroupBody)


async def show_queue(request: web.Request) -> web.StreamResponse:
    """`GET /v1/queue`."""
    Parameters(request).done()
    return json_response(context_of(request).groups.show_queue())


async def pause_queue(request: web.Request) -> web.StreamResponse:
    """`POST /v1/queue/pause`."""
    Parameters(request).done()
    return json_response(await context_of(request).groups.pause_all(True))


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
    """`POST /v1/groups/{name}/pause`."""
    Parameters(request).done()
    return json_response(await context_of(request).groups.pause(request.match_info["name"], True))


async def resume_group(request: web.Request) -> web.StreamResponse:
    """`POST /v1/groups/{name}/resume`."""
    Parameters(request).done()
    return json_response(await context_of(request).groups.pause(request.match_info["name"], False))
