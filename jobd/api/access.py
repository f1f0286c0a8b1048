"""Who may send a request.

Owns the rules of access: a request over TCP has the API key and a Host of this daemon; a request from a web page (Origin) is
refused. File permissions control the access to the Unix socket.
"""

import hmac
from dataclasses import dataclass

from aiohttp import web

from jobd.api.context import is_unix
from jobd.errors import Forbidden, Unauthorized

OPEN_PATHS = frozenset({"/livez", "/readyz"})
OWN_TOKEN_PATHS = frozenset({"/internal/events"})
"""Requests to these paths have the job's token instead of the API key."""


@dataclass(slots=True)
class AccessPolicy:
    """The access over TCP: the API key, which may be replaced at any time, and the accepted Host names. `api_key` None: no key is needed
    (an explicit setting).
    """

    api_key: str | None
    hosts: frozenset[str]


def check_access(request: web.Request, policy: AccessPolicy) -> None:
    """Raises Forbidden, Unauthorized: the request has no access."""
    if "Origin" in request.headers or _is_from_web_page(request):
        raise Forbidden("requests from web pages are refused", code="origin-refused")
    if not is_unix(request):
        _check_host(request, policy)
        if request.path not in OPEN_PATHS and request.path not in OWN_TOKEN_PATHS:
            _check_key(request, policy)


def _is_from_web_page(request: web.Request) -> bool:
    """Returns whether a browser sends the request for a page of another site, as an image, a script or a frame, without an Origin.
    A navigation of the user passes: no page can read its response.

    Source: Fetch Metadata Request Headers (W3C).
    """
    site, dest = request.headers.get("Sec-Fetch-Site", "none"), request.headers.get("Sec-Fetch-Dest", "")
    return site not in ("none", "same-origin") and dest != "document"


def bearer(request: web.Request) -> str:
    """Returns the bearer token of the Authorization header, empty where there is no ASCII token."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return _ascii(token.strip()) if scheme.lower() == "bearer" else ""


def _ascii(text: str) -> str:
    """Returns the text, empty where it is not ASCII: other bytes of a header are decoded as surrogates, which `encode` refuses."""
    return text if text.isascii() else ""


def _check_host(request: web.Request, policy: AccessPolicy) -> None:
    host = request.headers.get("Host", "")
    name = host[: host.rindex("]") + 1] if host.startswith("[") and "]" in host else host.partition(":")[0]
    # The address of the connection itself is safe: no foreign DNS server can point a name at it.
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
