"""The endpoints of liveness, readiness, version, disk usage, the OpenAPI document and the schema of job files."""

from aiohttp import web

from jobd.api.context import context_of
from jobd.api.respond import json_response
from jobd.wire.job_file_schema import MEDIA_TYPE, job_file_schema


async def livez(request: web.Request) -> web.StreamResponse:
    """`GET /livez`: the process responds and its store works."""
    health = await context_of(request).health.live()
    return json_response(health, 200 if health.status == "healthy" else 503)


async def readyz(request: web.Request) -> web.StreamResponse:
    """`GET /readyz`: jobd can run jobs; 503 while the engine is unreachable or jobd shuts down."""
    health = await context_of(request).health.ready()
    return json_response(health, 200 if health.status == "healthy" else 503)


async def version(request: web.Request) -> web.StreamResponse:
    """`GET /v1/version`."""
    return json_response(context_of(request).about())


async def disk(request: web.Request) -> web.StreamResponse:
    """`GET /v1/disk`."""
    return json_response(await context_of(request).disk())


async def openapi(request: web.Request) -> web.StreamResponse:
    """`GET /openapi.json`."""
    return web.Response(body=context_of(request).openapi, content_type="application/json")


async def job_file(request: web.Request) -> web.StreamResponse:
    """`GET /v1/schemas/job-file.json`."""
    return web.Response(body=job_file_schema(), content_type=MEDIA_TYPE)
