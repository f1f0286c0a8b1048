"""The handlers' dependencies, and the user who makes a request."""

import pwd
import socket
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from aiohttp import web

from jobd.api.job_views import JobViews
from jobd.budget import ByteBudget
from jobd.events.delivery.dispatcher import Dispatcher
from jobd.events.feed import Feed
from jobd.health.health import HealthCheck
from jobd.jobs.admission.resubmission import Resubmitter
from jobd.jobs.admission.submission import Submitter
from jobd.jobs.groups import GroupService
from jobd.jobs.interactive.sessions import Sessions
from jobd.jobs.log.log_view import LogView
from jobd.jobs.record.parts import Caller, Trace
from jobd.jobs.service import JobService
from jobd.jobs.sets import SetService
from jobd.jobs.statistics import StatisticsService
from jobd.store.tables.delivery_rows import Delivery
from jobd.store.tables.rows import LogStats
from jobd.wire.trace import trace_context
from jobd.wire.views.daemon import Disk, Version

_PEER_CREDENTIALS = struct.Struct("iII")
"""`struct ucred`: process, user, group."""


class StoredData(Protocol):
    """What the handlers read from the store themselves."""

    async def deliveries(self, uid: str, after: int, limit: int) -> list[Delivery]:
        """Returns the deliveries of a job with an id above `after`, oldest first."""
        ...

    async def last_seq(self) -> int:
        """Returns the highest event number so far."""
        ...

    async def log_stats(self, uid: str) -> LogStats:
        """Returns the size of a job's log."""
        ...


@dataclass(frozen=True, slots=True)
class Context:
    """The objects that handlers call. `about` makes the response of `GET /v1/version`, `disk` that of `GET /v1/disk`; `openapi` is
    the document as JSON. `bodies`, `readers`, `copies` and `sessions_budget` are the memory budgets of request bodies, of responses, of file
    downloads and of attached clients.
    """

    submitter: Submitter
    resubmitter: Resubmitter
    jobs: JobService
    job_views: JobViews
    groups: GroupService
    sets: SetService
    statistics: StatisticsService
    logs: LogView
    sessions: Sessions
    store: StoredData
    feed: Feed
    dispatcher: Dispatcher
    health: HealthCheck
    bodies: ByteBudget
    readers: ByteBudget
    copies: ByteBudget
    sessions_budget: ByteBudget
    upload_dir: Path
    max_upload_bytes: int
    about: Callable[[], Version]
    disk: Callable[[], Awaitable[Disk]]
    openapi: bytes


CONTEXT: web.AppKey[Context] = web.AppKey("context", Context)


def context_of(request: web.Request) -> Context:
    """Returns the application's context."""
    return request.app[CONTEXT]


def is_unix(request: web.Request) -> bool:
    """Returns whether the request came over the Unix socket, where file permissions control the access."""
    # A Unix socket has a path for its name, or nothing; asking the socket for its family takes ten times as long.
    transport = request.transport
    return transport is not None and isinstance(transport.get_extra_info("sockname"), str | bytes)


def caller(request: web.Request) -> str | None:
    """Returns the user at the other end of the Unix socket: the name, or the uid where there is no name; None over TCP."""
    found = credentials(request)
    if found is None:
        return None
    try:
        return pwd.getpwuid(found.uid).pw_name
    except KeyError:
        return str(found.uid)


def credentials(request: web.Request) -> Caller | None:
    """Returns the uid and gid of the process at the other end of the Unix socket, when it connected; None over TCP.

    Source: SO_PEERCRED, unix(7).
    """
    sock = _socket(request)
    if sock is None or sock.family != socket.AF_UNIX:
        return None
    data = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER_CREDENTIALS.size)
    _, uid, gid = _PEER_CREDENTIALS.unpack(data)
    return Caller(uid=uid, gid=gid)


def trace_of(request: web.Request) -> Trace | None:
    """Returns the trace that the request is a part of; None without a valid one."""
    headers = request.headers
    found = trace_context(headers.getall("traceparent", ()), headers.getall("tracestate", ()))
    return None if found is None else Trace(parent=found[0], state=found[1])


def _socket(request: web.Request) -> socket.socket | None:
    return None if request.transport is None else request.transport.get_extra_info("socket")
