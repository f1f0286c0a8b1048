"""The endpoint of ended jobs in numbers, and its part of the table of routes."""

import re

from aiohttp import web

from jobd.api.body import Parameters
from jobd.api.context import context_of
from jobd.api.respond import json_response
from jobd.api.route import Parameter, Route
from jobd.errors import InvalidRequest
from jobd.wire.views.statistics import Statistics

MAX_GROUPS = 100
_BY = "^(image|group|label|label:[^\\u0000]+)$"
_BY_PATTERN = re.compile(r"image|group|label|label:[^\0]+", re.DOTALL)


async def stats(request: web.Request) -> web.StreamResponse:
    """`GET /v1/stats`."""
    parameters = Parameters(request)
    by, since = parameters.text("by"), parameters.timestamp("since")
    limit = parameters.number("limit", 20, 1, MAX_GROUPS)
    parameters.done()
    if by is not None and not _BY_PATTERN.fullmatch(by):
        raise InvalidRequest("must be image, group, label or label:NAME", field="by")
    return json_response(await context_of(request).statistics.get(by or "", since, limit))


ROUTES: tuple[Route, ...] = (
    Route(
        "GET",
        "/v1/stats",
        stats,
        "The jobs that have ended in numbers: counts, success, time in each phase",
        {200: (Statistics,)},
        parameters=(
            Parameter("since", {"type": "string", "format": "date-time"}, "ended at or after"),
            Parameter(
                "by",
                {"type": "string", "pattern": _BY},
                "also by image, group, label (each of a job's labels), or the values of one label (`label:NAME`)",
            ),
            Parameter(
                "limit",
                {"type": "integer", "minimum": 1, "maximum": MAX_GROUPS},
                "images, groups or labels, those with the most jobs; the others together",
            ),
        ),
        response_bytes=16 << 20,
    ),
)
