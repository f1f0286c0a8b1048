"""The sockets that jobd listens on: the Unix socket and TCP for the API, TCP for the metrics.

Owns the sockets' setup, and its errors.
"""

import asyncio
import contextlib
import errno
import grp
import os
import resource
import socket
import ssl
from collections.abc import Mapping
from pathlib import Path

from aiohttp import web

from jobd.errors import ConfigError
from jobd.private import require_can_create, require_protected
from jobd.process.tls import HANDSHAKE_LIMIT_S

SYSTEM_SOCKET = Path("/run/jobd/jobd.sock")
GROUP = "jobd"
BACKLOG = 512
FIRST_INHERITED = 3
HEAD_LIMIT_S = 30.0
"""The time in which a connection must send a complete request head."""
MOST_CONNECTIONS = 512
NO_WAIT_S = 0.01
"""For aiohttp a timeout of 0 means no limit."""


def unix_listener(path: Path) -> socket.socket:
    """Returns a listening Unix socket at `path`: mode 0600, or for the system socket 0660 and the group `jobd`.

    Raises:
        ConfigError: another daemon listens at `path`, the socket cannot be made, or another user could replace it.
    """
    system = path == SYSTEM_SOCKET
    try:
        path.parent.mkdir(mode=0o755 if system else 0o700, parents=True, exist_ok=True)
        require_protected(path.parent.resolve(strict=True), "JOBD_SOCKET")
        if path.is_symlink():
            raise ConfigError([f"JOBD_SOCKET: {path} is a symbolic link; remove the link"])
        if path.is_socket():
            _refuse_if_served(path)
            path.unlink()
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        # No other user may connect between bind and chmod.
        before = os.umask(0o177)
        try:
            sock.bind(str(path))
        finally:
            os.umask(before)
        if system:
            with contextlib.suppress(KeyError, PermissionError):
                os.chown(path, -1, grp.getgrnam(GROUP).gr_gid)
                path.chmod(0o660)
        sock.listen(BACKLOG)
    except OSError as error:
        raise ConfigError([f"JOBD_SOCKET: {path}: {error.strerror or error}"]) from None
    return sock


def check_socket_path(path: Path) -> None:
    """Raises ConfigError if `unix_listener` would refuse this path; another daemon may listen there. Creates and removes nothing."""
    variable = "JOBD_SOCKET"
    if os.path.lexists(path.parent):
        require_protected(path.parent.resolve(strict=True), variable)
    else:
        require_can_create(path, variable)
    if path.is_symlink():
        raise ConfigError([f"{variable}: {path} is a symbolic link; remove the link"])
    if path.exists() and not path.is_socket():
        raise ConfigError([f"{variable}: {path} is no socket; move it away, or choose another path"])


def tcp_listener(host: str, port: int, port_variable: str) -> socket.socket:
    """Returns a listening TCP socket.

    Raises:
        ConfigError: the port is in use or not permitted.
    """
    address = "127.0.0.1" if host == "localhost" else host
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((address, port))
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        why = "is in use; choose another" if error.errno == errno.EADDRINUSE else str(error.strerror)
        raise ConfigError([f"{port_variable}: port {port} on {address} {why}"]) from None
    return sock


def address_of(sock: socket.socket) -> tuple[str, int]:
    """Returns the address and port that a TCP socket is bound to."""
    name = sock.getsockname()
    return str(name[0]), int(name[1])


def inherited(environ: Mapping[str, str]) -> list[socket.socket]:
    """Returns the sockets that systemd opened for this process; none without socket activation.

    Source: sd_listen_fds(3).
    """
    if environ.get("LISTEN_PID") != str(os.getpid()):
        return []
    count = int(environ.get("LISTEN_FDS", "0") or 0)
    return [socket.socket(fileno=number) for number in range(FIRST_INHERITED, FIRST_INHERITED + count)]


def runner_of(app: web.Application, shutdown_s: float) -> web.AppRunner:
    """Returns the runner of an application, with its limits. At shutdown, requests have `shutdown_s` to end."""
    return web.AppRunner(
        app,
        access_log=None,
        auto_decompress=False,  # the API refuses compressed bodies itself, with its own error
        keepalive_timeout=HEAD_LIMIT_S,
        shutdown_timeout=max(shutdown_s, NO_WAIT_S),
        handle_signals=False,
    )


class _Counted(asyncio.BaseProtocol):
    """One connection: accepted while the listener has fewer than `most`, else closed at once."""

    def __init__(self, site: "BoundedSite", inner: asyncio.Protocol) -> None:
        self._site, self._inner = site, inner
        self._taken = False
        # Bound directly, so that received data skips this class.
        self.data_received = inner.data_received
        self.eof_received = inner.eof_received

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if self._site.open >= self._site.most:
            transport.close()
            return
        self._taken = True
        self._site.open += 1
        self._inner.connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        if self._taken:
            self._taken = False
            self._site.open -= 1
            self._inner.connection_lost(error)

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()


class BoundedSite(web.SockSite):
    """A listener with at most `most` connections, so that its clients cannot use up the file descriptors."""

    def __init__(
        self, runner: web.AppRunner, sock: socket.socket, most: int, context: ssl.SSLContext | None
    ) -> None:
        super().__init__(runner, sock, ssl_context=context)
        self.most = most
        self.open = 0
        self._listener, self._tls = sock, context

    async def start(self) -> None:
        """Listens."""
        await web.BaseSite.start(self)
        make = self._runner.server
        if make is None:
            raise RuntimeError("the runner is not set up")
        self._server = await asyncio.get_running_loop().create_server(
            lambda: _Counted(self, make()),
            sock=self._listener,
            ssl=self._tls,
            ssl_handshake_timeout=HANDSHAKE_LIMIT_S if self._tls else None,
            backlog=1,
        )


def most_connections() -> int:
    """Returns one listener's limit of connections: a quarter of the process's file descriptors, from 16 to MOST_CONNECTIONS."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST_CONNECTIONS if limit < 0 else max(16, min(MOST_CONNECTIONS, limit // 4))


async def serve_on(
    runner: web.AppRunner, *sockets: socket.socket, context: ssl.SSLContext | None = None
) -> None:
    """Serves the application on these sockets, with TLS if there is a context."""
    for sock in sockets:
        # asyncio accepts up to `backlog` connections at once, and each accept without a free descriptor logs an error and is
        # scheduled again: with 1, one error a second. The second `listen` restores the kernel's queue.
        await BoundedSite(runner, sock, most_connections(), context).start()
        sock.listen(BACKLOG)


def _refuse_if_served(path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(2.0)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            return
        except OSError as error:
            raise ConfigError([f"JOBD_SOCKET: {path}: {error.strerror or error}"]) from None
    raise ConfigError([f"JOBD_SOCKET: another daemon listens on {path}; stop it or choose another path"])
