"""Builds the two web applications: the API and the metrics."""

import asyncio
from collections.abc import Awaitable, Callable

import msgspec
from aiohttp import web

from jobd.api.access import AccessPolicy
from jobd.api.context import CONTEXT, Context
from jobd.api.endpoints.streams import FOLLOWERS, close_followers
from jobd.api.job_views import JobViews
from jobd.api.memory import BODIES_BYTES, COPIES_BYTES, SESSIONS_BYTES, memory_budget
from jobd.api.middleware import each_request
from jobd.api.openapi import document
from jobd.api.routes import ROUTES
from jobd.budget import ByteBudget
from jobd.composition.events import Events
from jobd.composition.jobs import Jobs
from jobd.health.about import VERSION, About
from jobd.health.health import HealthCheck
from jobd.metrics.metrics import CONTENT_TYPE, Metrics
from jobd.process.state_folder import StateFolder
from jobd.settings.config import Config
from jobd.store.store import Store
from jobd.wire.host_alias import HOST_ALIAS
from jobd.wire.validation.limits import MAX_BODY_BYTES

OWN_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]", HOST_ALIAS})


def build_api(
    config: Config,
    *,
    folder: StateFolder,
    store: Store,
    events: Events,
    jobs: Jobs,
    health: HealthCheck,
    about: About,
    metrics: Metrics,
    access: AccessPolicy,
) -> web.Application:
    """Returns the API."""
    context = Context(
        submitter=jobs.submitter,
        resubmitter=jobs.resubmitter,
        jobs=jobs.service,
        job_views=JobViews(jobs.service, store.ended_views),
        groups=jobs.groups,
        sets=jobs.sets,
        statistics=jobs.statistics,
        logs=jobs.logs,
        sessions=jobs.sessions,
        store=store,
        feed=events.feed,
        dispatcher=events.dispatcher,
        health=health,
        bodies=ByteBudget(BODIES_BYTES),
        readers=events.readers,
        copies=ByteBudget(COPIES_BYTES),
        sessions_budget=ByteBudget(SESSIONS_BYTES),
        upload_dir=folder.spool,
        max_upload_bytes=config.max_upload_bytes,
        about=about.version,
        disk=about.disk,
        openapi=msgspec.json.encode(document(ROUTES, VERSION)),
    )
    response_bytes = {
        (route.method, route.path): route.response_bytes for route in ROUTES if route.response_bytes
    }
    api = web.Application(
        middlewares=[
            each_request(access, metrics),
            memory_budget(context.bodies, events.readers, response_bytes),
        ],
        client_max_size=MAX_BODY_BYTES,
    )
    api[CONTEXT] = context
    api[FOLLOWERS] = set()
    api.on_shutdown.append(close_followers)
    for route in ROUTES:
        api.router.add_route(route.method, route.path, route.handler)
    return api


def build_access(config: Config, api_key: str | None) -> AccessPolicy:
    """Returns who may use the API. `api_key` None: no authentication."""
    return AccessPolicy(api_key, _names(config, config.host))


def build_metrics_api(
    config: Config, metrics: Metrics, before_scrape: Callable[[], Awaitable[None]]
) -> web.Application:
    """Returns the application with `GET /metrics`; `before_scrape` updates the gauges at each scrape."""
    rendering = asyncio.Lock()

    async def scrape(_: web.Request) -> web.Response:
        # One at a time: the gauges may not change while another scrape's text is made. On a thread: the text of a hundred images
        # takes 50 ms.
        async with rendering:
            await before_scrape()
            body = await asyncio.to_thread(metrics.render)
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE})

    policy = AccessPolicy(None, _names(config, config.metrics_host))
    api = web.Application(middlewares=[each_request(policy)])
    api.router.add_get("/metrics", scrape)
    return api


def _names(config: Config, host: str) -> frozenset[str]:
    return OWN_NAMES | set(config.names) | {host.lower()}
