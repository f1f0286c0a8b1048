"""The endpoints of deliveries: list a job's deliveries, replay one, replay all that were given up."""

from urllib.parse import urlsplit

from aiohttp import web

from jobd.api.body import Parameters
from jobd.api.context import context_of
from jobd.api.respond import json_response
from jobd.errors import NotFound
from jobd.store.tables.delivery_rows import Delivery
from jobd.wire.event import rfc3339
from jobd.wire.views.deliveries import DeliveryList, DeliveryView, Replayed

MAX_PAGE = 1000


async def list_deliveries(request: web.Request) -> web.StreamResponse:
    """`GET /v1/jobs/{id}/deliveries`."""
    context = context_of(request)
    parameters = Parameters(request)
    after = parameters.number("after", 0, 0, 10**18 - 1)
    limit = parameters.number("limit", 100, 1, MAX_PAGE)
    parameters.done()
    uid = await context.jobs.uid_of(request.match_info["id"])
    found = await context.store.deliveries(uid, after, limit)
    following = str(found[-1].id) if len(found) == limit else None
    return json_response(DeliveryList(deliveries=[view(d) for d in found], next=following))


async def replay(request: web.Request) -> web.StreamResponse:
    """`POST /v1/deliveries/{id}/replay`: makes a delivery pending again before the response."""
    Parameters(request).done()
    text = request.match_info["id"]
    found = None
    if text.isascii() and text.isdecimal() and len(text) <= 18:
        found = await context_of(request).dispatcher.replay(int(text))
    if found is None:
        raise NotFound(f"no delivery {text[:64]!r}")
    return json_response(view(found), 202)


async def replay_all(request: web.Request) -> web.StreamResponse:
    """`POST /v1/jobs/{id}/deliveries/replay`: makes parked and abandoned deliveries pending again before the response."""
    Parameters(request).done()
    context = context_of(request)
    uid = await context.jobs.uid_of(request.match_info["id"])
    return json_response(Replayed(replayed=await context.dispatcher.replay_all(uid)), 202)


def view(delivery: Delivery) -> DeliveryView:
    """Returns a delivery as clients see it: without the parts of the URL that may contain a secret."""
    next_attempt_at = delivery.next_attempt_at
    return DeliveryView(
        id=delivery.id,
        event_id=delivery.event_id,
        event_type=delivery.event_type,
        state=delivery.state,
        attempts=delivery.attempts,
        job_id=delivery.job_id,
        job_uid=delivery.job_uid,
        url=_without_secrets(delivery.url),
        created_at=rfc3339(delivery.created_at),
        next_attempt_at=rfc3339(next_attempt_at) if next_attempt_at else None,
        delivered_at=rfc3339(delivery.delivered_at) if delivery.delivered_at else None,
        last_status=delivery.last_status,
        last_error=delivery.last_error,
    )


def _without_secrets(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
