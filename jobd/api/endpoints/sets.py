"""The endpoints of sets of jobs: list, show, cancel; and their part of the table of routes."""

from aiohttp import web

from jobd.api.body import Parameters
from jobd.api.context import context_of
from jobd.api.endpoints.jobs import CancelBody, cancel_request
from jobd.api.respond import json_response
from jobd.api.route import Parameter, Route
from jobd.wire.views.sets import SetCancelled, SetList, SetView

MAX_SETS = 100


async def list_sets(request: web.Request) -> web.StreamResponse:
    """`GET /v1/sets`."""
    parameters = Parameters(request)
    cursor, limit = parameters.text("cursor"), parameters.number("limit", 20, 1, MAX_SETS)
    parameters.done()
    return json_response(await context_of(request).sets.page(cursor, limit))


async def show_set(request: web.Request) -> web.StreamResponse:
    """`GET /v1/sets/{id}`."""
    Parameters(request).done()
    return json_response(await context_of(request).sets.get(request.match_info["id"]))


async def cancel_set(request: web.Request) -> web.StreamResponse:
    """`POST /v1/sets/{id}/cancel`: the body is optional, and is that of a job's cancel."""
    wanted = await cancel_request(request)
    return json_response(await context_of(request).sets.cancel(request.match_info["id"], wanted), 202)


ROUTES: tuple[Route, ...] = (
    Route(
        "GET",
        "/v1/sets",
        list_sets,
        "List sets of jobs, newest first",
        {200: (SetList,)},
        parameters=(
            Parameter(
                "limit",
                {"type": "integer", "minimum": 1, "maximum": MAX_SETS},
                "sets a page; a page may have fewer, or none, and a `next`",
            ),
            Parameter(
                "cursor",
                {"type": "string", "pattern": "^[0-9]{1,18}$"},
                "`next` of the previous page",
            ),
        ),
    ),
    Route("GET", "/v1/sets/{id}", show_set, "The numbers of a set's jobs", {200: (SetView,)}, (404,)),
    Route(
        "POST",
        "/v1/sets/{id}/cancel",
        cancel_set,
        "End the jobs of a set, keep their records",
        {202: (SetCancelled,)},
        (404, 413, 415, 507),
        body=CancelBody,
        body_required=False,
    ),
)
