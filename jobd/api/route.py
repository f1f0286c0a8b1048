"""The types of the API's table: an operation and its parameters."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Parameter:
    """A query or header parameter. `schema` is JSON Schema."""

    name: str
    schema: Mapping[str, object]
    help: str
    where: str = "query"


@dataclass(frozen=True, slots=True)
class Route:
    """One operation. `body`: the type of its JSON body. `responses`: status -> types of the JSON body, none where there is no such body.

    `refusals`: the documented error statuses beside those of every operation (400, 401, 403, 500, 503). `media`: the content
    types of a success. `description`: more than the summary says. `messages`: the JSON of a WebSocket, which `description` names. `response_bytes`: the memory that a long response may need, None where the response is short or its
    handler reserves memory itself.
    """

    method: str
    path: str
    handler: Handler
    summary: str
    responses: Mapping[int, tuple[type, ...]]
    refusals: tuple[int, ...] = ()
    body: type | None = None
    body_required: bool = True
    multipart: bool = False
    parameters: tuple[Parameter, ...] = ()
    media: tuple[str, ...] = ("application/json",)
    open: bool = False
    response_bytes: int | None = None
    description: str = ""
    messages: tuple[type, ...] = ()
