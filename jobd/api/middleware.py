"""The middleware of every request: request metrics, error responses, access control.

One middleware for all of them: each further one costs a request as much processor time as what it does.
"""

import logging
import time

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from jobd.api.access import AccessPolicy, check_access
from jobd.api.respond import error_response
from jobd.metrics.metrics import Metrics

log = logging.getLogger(__name__)


def each_request(policy: AccessPolicy | None = None, metrics: Metrics | None = None) -> Middleware:
    """Returns the middleware that refuses requests without access, turns an exception into the documented response, and counts and times
    requests. Without a `policy` every request has access; without `metrics` none is counted.
    """

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        started = time.perf_counter()
        status = 500
        try:
            if policy is not None:
                check_access(request, policy)
            response = await handler(request)
            status = response.status
            return response
        except (ConnectionError, web.HTTPSuccessful):
            raise
        except Exception as error:
            response = _response_to(error, request)
            status = response.status
            return response
        finally:
            if metrics is not None:
                metrics.http_request(request.method, _label(request), status, time.perf_counter() - started)

    return middleware


def _response_to(error: Exception, request: web.Request) -> web.Response:
    """Returns the documented response; logs an exception that is a bug."""
    response = error_response(error)
    if response.status == 500:
        fields = {"action": "http", "method": request.method, "path": request.path}
        log.error("request failed", extra=fields, exc_info=error)
    return response


def _label(request: web.Request) -> str:
    """Returns the path's template, to keep the labels few."""
    resource = request.match_info.route.resource
    template = resource.canonical if resource is not None else "unknown"
    return template.replace("/v1/jobs/{id}", "/v1/jobs/{jobId}")  # the label in the Go service's dashboards
