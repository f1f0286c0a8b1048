"""`POST /internal/events`: reports of a sidecar whose standard output jobd cannot read.

The caller names the job and authenticates with the job's token.
"""

from aiohttp import web

from jobd.api.access import bearer
from jobd.api.body import decode, read_json_bytes
from jobd.api.context import context_of
from jobd.api.respond import json_response
from jobd.errors import Unauthorized
from jobd.wire.report import InternalReports
from jobd.wire.validation.body import BodyDecoder

_decoder = BodyDecoder(InternalReports)


async def take_reports(request: web.Request) -> web.StreamResponse:
    """Answers 202 once the reports are stored."""
    token = bearer(request)
    if not token:
        raise Unauthorized("the job's token is missing; send it as Authorization: Bearer <token>")
    body = decode(await read_json_bytes(request), _decoder)
    await context_of(request).jobs.take_reports(body.job_id, token, body.reports)
    return json_response({"status": "accepted"}, 202)
