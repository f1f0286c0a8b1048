"""Liveness, readiness, version, and the API's own description."""

from aiohttp import web

from jobd.api.context import context_of
from jobd.api.respond import json_response


async def livez(request: web.Request) -> web.StreamResponse:
    """`GET /livez`: this process answers and its store works."""
    health = await context_of(request).health.live()
    return json_response(health, 200 if health.status == "healthy" else 503)


async def readyz(request: web.Request) -> web.StreamResponse:
    """`GET /readyz`: jobs can be run now; 503 when the engine is unreachable or jobd is ending."""
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
