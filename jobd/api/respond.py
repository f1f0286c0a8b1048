"""Responses: JSON bodies, and the one table that maps errors to HTTP statuses."""

from typing import Any

import msgspec
from aiohttp import web

from jobd import errors
from jobd.jobs.port.errors import EngineError, EngineUnavailable, NoSuchFile
from jobd.store.errors import NoSuchJob, StaleJob, StoreClosed, StoreError, StoreFull, UnreadableJob
from jobd.wire.problem import InvalidSpec
from jobd.wire.views.base import Error

_encoder = msgspec.json.Encoder()

STATUSES: tuple[tuple[type[Exception], int], ...] = (
    (InvalidSpec, 400),
    (errors.InvalidRequest, 400),
    (errors.Unauthorized, 401),
    (errors.Forbidden, 403),
    (errors.NotFound, 404),
    (NoSuchJob, 404),
    (UnreadableJob, 409),
    (NoSuchFile, 404),
    (errors.Conflict, 409),
    (errors.TooLarge, 413),
    (errors.WrongMediaType, 415),
    (errors.QueueFull, 429),
    (errors.Unavailable, 503),
    (EngineUnavailable, 503),
    (EngineError, 502),
    (errors.DiskFull, 507),
    (StoreFull, 507),
    (StoreClosed, 503),
    (StaleJob, 503),
    (StoreError, 500),
)
"""The first match counts. Any other exception is a bug: 500."""

_HTTP_CODES = {400: "bad-request", 404: "not-found", 405: "method-not-allowed", 413: "too-large"}


def encode(body: Any) -> bytes:
    """Returns `body`, a msgspec struct or builtins, as a line of JSON."""
    return _encoder.encode(body) + b"\n"


def json_response(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """Returns `body`, a msgspec struct or builtins, as JSON."""
    return encoded_response(encode(body), status, headers)


def encoded_response(body: bytes, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """Returns `body`, which is JSON already."""
    return web.Response(body=body, status=status, content_type="application/json", headers=headers)


def error_response(error: Exception) -> web.Response:
    """Returns the response for `error`. The response to a bug says nothing of its cause."""
    if isinstance(error, web.HTTPException):
        return _http_error(error)
    body, status = error_body(error)
    headers = {"WWW-Authenticate": 'Bearer realm="jobd"'} if status == 401 else {}
    if status in (429, 503):
        headers["Retry-After"] = "1"
    return json_response(body, status, headers)


def error_body(error: Exception) -> tuple[Error, int]:
    """Returns the body and the status for `error`, which is none of aiohttp's."""
    status = next((status for kind, status in STATUSES if isinstance(error, kind)), 500)
    return _body(error, status), status


def _body(error: Exception, status: int) -> Error:
    if isinstance(error, InvalidSpec):
        first = error.problems[0]
        more = len(error.problems) - 1
        text = f"{first.field}: {first.message}" if first.field else first.message
        text += f" (and {more} more)" if more else ""
        return Error(error=_sendable(text), code="invalid-spec", field=_sendable(first.field) or None)
    if status == 500:
        return Error(error="internal error; the daemon's log has the details", code="internal")
    code = getattr(error, "code", "internal")
    remedy = getattr(error, "remedy", "")
    text = f"{error}; {remedy}" if remedy else str(error)
    field = getattr(error, "field", None)
    return Error(error=_sendable(text), code=code, field=None if field is None else _sendable(field))


def _sendable(text: str) -> str:
    """Returns the text with `?` for each surrogate: an error may quote a client's text, which UTF-8 cannot always encode."""
    return text.encode("utf-8", "replace").decode()


def _http_error(error: web.HTTPException) -> web.Response:
    headers = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
    code = _HTTP_CODES.get(error.status, "http-error")
    text = {
        404: "there is no such path; GET /openapi.json lists all paths",
        405: f"this path does not allow that method; it allows {error.headers.get('Allow', 'others')}",
        413: "the body is over the limit of 1 MiB",
    }.get(error.status, error.reason)
    return json_response(Error(error=text, code=code), error.status, headers)
