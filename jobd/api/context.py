"""What the handlers work with, and who is calling."""

import pwd
import socket
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from jobd.budget import ByteBudget
from jobd.events.delivery.dispatcher import Dispatcher
from jobd.events.feed import Feed
from jobd.health.health import HealthCheck
from jobd.jobs.admission.submission import Submitter
from jobd.jobs.log.log_view import LogView
from jobd.jobs.service import JobService
from jobd.store.store import Store
from jobd.wire.view import Disk, Version

_PEER_CREDENTIALS = struct.Struct("3i")


@dataclass(frozen=True, slots=True)
class Context:
    """The parts that handlers call. `about` gives the answer of `GET /v1/version`, `disk` that of
    `GET /v1/disk`, `openapi` is the document as JSON. `bodies`: what all request bodies hold in memory, `copies`: what
    all copies of files out of jobs do.
    """

    submitter: Submitter
    jobs: JobService
    logs: LogView
    store: Store
    feed: Feed
    dispatcher: Dispatcher
    health: HealthCheck
    bodies: ByteBudget
    copies: ByteBudget
    upload_dir: Path
    max_upload_bytes: int
    about: Callable[[], Version]
    disk: Callable[[], Awaitable[Disk]]
    openapi: bytes


CONTEXT: web.AppKey[Context] = web.AppKey("context", Context)


def context_of(request: web.Request) -> Context:
    """Returns the parts."""
    return request.app[CONTEXT]


def is_unix(request: web.Request) -> bool:
    """True for a request over the Unix socket, whose file permissions have let the caller in."""
    sock = _socket(request)
    return sock is not None and sock.family == socket.AF_UNIX


def caller(request: web.Request) -> str | None:
    """Returns the user at the other end of the Unix socket, by name where it has one; None over TCP.

    Source: SO_PEERCRED, unix(7).
    """
    sock = _socket(request)
    if sock is None or sock.family != socket.AF_UNIX:
        return None
    data = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER_CREDENTIALS.size)
    uid = _PEER_CREDENTIALS.unpack(data)[1]
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _socket(request: web.Request) -> socket.socket | None:
    return None if request.transport is None else request.transport.get_extra_info("socket")
