"""What every request passes through, outermost first: measuring, errors to answers, the door.

Owns the door's rules: a request over TCP carries the API key and a Host of ours; none may come from a web page (Origin).
A request over the Unix socket was let in by the file's permissions.
"""

import hmac
import logging
import time
from dataclasses import dataclass

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from jobd.api.context import is_unix
from jobd.api.respond import error_response
from jobd.errors import Forbidden, Unauthorized
from jobd.metrics.metrics import Metrics

log = logging.getLogger(__name__)

OPEN_PATHS = frozenset({"/livez", "/readyz"})
OWN_TOKEN_PATHS = frozenset({"/internal/events"})
"""These carry a token of the job's instead of the API key."""


@dataclass(frozen=True, slots=True)
class AccessPolicy:
    """Who may come in over TCP. `api_key` None: anybody on loopback (an explicit choice of the operator)."""

    api_key: str | None
    hosts: frozenset[str]


def measuring(metrics: Metrics) -> Middleware:
    """Returns the middleware that counts and times requests by path template, so that labels stay few."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        started = time.perf_counter()
        status = 500
        try:
            response = await handler(request)
            status = response.status
            return response
        finally:
            resource = request.match_info.route.resource
            template = resource.canonical if resource is not None else "unknown"
            path = template.replace(
                "/v1/jobs/{id}", "/v1/jobs/{jobId}"
            )  # as the Go service's dashboards have it
            metrics.http_request(request.method, path, status, time.perf_counter() - started)

    return middleware


@web.middleware
async def answering_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turns what a handler raises into the documented answer; logs what is a fault of ours."""
    try:
        return await handler(request)
    except (ConnectionError, web.HTTPSuccessful):
        raise
    except Exception as error:
        response = error_response(error)
        if response.status == 500:
            log.exception(
                "request failed", extra={"action": "http", "method": request.method, "path": request.path}
            )
        return response


def guarding(policy: AccessPolicy) -> Middleware:
    """Returns the middleware that keeps out who may not come in."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        if "Origin" in request.headers or _asked_by_a_page(request):
            raise Forbidden("requests from web pages are refused", code="origin-refused")
        if not is_unix(request):
            _check_host(request, policy)
            if request.path not in OPEN_PATHS and request.path not in OWN_TOKEN_PATHS:
                _check_key(request, policy)
        return await handler(request)

    return middleware


def _asked_by_a_page(request: web.Request) -> bool:
    """True where a browser says that a page of another site is behind a request that carries no Origin: an image, a script,
    a frame. What somebody has typed or clicked, and sees alone, is let through.

    Source: Fetch Metadata Request Headers (W3C).
    """
    site, dest = request.headers.get("Sec-Fetch-Site", "none"), request.headers.get("Sec-Fetch-Dest", "")
    return site not in ("none", "same-origin") and dest != "document"


def bearer(request: web.Request) -> str:
    """Returns the token of the Authorization header, empty where there is none that could be one of ours."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return _ascii(token.strip()) if scheme.lower() == "bearer" else ""


def _ascii(text: str) -> str:
    """Keys and tokens are ASCII; other bytes of a header come as surrogates, which cannot be encoded for comparing."""
    return text if text.isascii() else ""


def _check_host(request: web.Request, policy: AccessPolicy) -> None:
    host = request.headers.get("Host", "")
    name = host[: host.rindex("]") + 1] if host.startswith("[") and "]" in host else host.partition(":")[0]
    # The address that was connected to is no name that somebody else's DNS server could have pointed here.
    if name.lower() not in policy.hosts and name.strip("[]") != _own_address(request):
        raise Forbidden("the Host header is none of this daemon's names", code="host-refused")


def _own_address(request: web.Request) -> str | None:
    at = request.transport.get_extra_info("sockname") if request.transport is not None else None
    return str(at[0]) if isinstance(at, tuple) else None


def _check_key(request: web.Request, policy: AccessPolicy) -> None:
    if policy.api_key is None:
        return
    given = bearer(request) or _ascii(request.headers.get("X-API-Key", ""))
    if not hmac.compare_digest(given.encode(), policy.api_key.encode()):
        raise Unauthorized("the API key is missing or wrong; send it as Authorization: Bearer <key>")
