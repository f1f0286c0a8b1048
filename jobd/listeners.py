"""The sockets that jobd listens on: the Unix socket and TCP for the API, TCP for the metrics.

Owns how they are made and taken away, and the plain words for what stands in the way.
"""

import contextlib
import errno
import grp
import os
import socket
from collections.abc import Mapping
from pathlib import Path

from aiohttp import web

from jobd.errors import ConfigError

SYSTEM_SOCKET = Path("/run/jobd/jobd.sock")
GROUP = "jobd"
BACKLOG = 512
FIRST_INHERITED = 3


def unix_listener(path: Path) -> socket.socket:
    """Returns a listening Unix socket at `path`: mode 0600, or for the system socket 0660 and the group `jobd`.

    Raises:
        ConfigError: another daemon listens there, or it cannot be made.
    """
    system = path == SYSTEM_SOCKET
    try:
        path.parent.mkdir(mode=0o755 if system else 0o700, parents=True, exist_ok=True)
        if path.is_socket():
            _refuse_if_served(path)
            path.unlink()
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        # Nobody may connect between bind and chmod.
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


def tcp_listener(host: str, port: int, port_variable: str) -> socket.socket:
    """Returns a listening TCP socket.

    Raises:
        ConfigError: the port is taken, or may not be used.
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
        why = "is taken; choose another" if error.errno == errno.EADDRINUSE else str(error.strerror)
        raise ConfigError([f"{port_variable}: port {port} on {address} {why}"]) from None
    return sock


def address_of(sock: socket.socket) -> tuple[str, int]:
    """Returns the address and port that a TCP socket is bound to."""
    name = sock.getsockname()
    return str(name[0]), int(name[1])


def inherited(environ: Mapping[str, str]) -> list[socket.socket]:
    """Returns the sockets that systemd has opened for this process, none where there is no socket activation.

    Source: sd_listen_fds(3).
    """
    if environ.get("LISTEN_PID") != str(os.getpid()):
        return []
    count = int(environ.get("LISTEN_FDS", "0") or 0)
    return [socket.socket(fileno=number) for number in range(FIRST_INHERITED, FIRST_INHERITED + count)]


async def serve_on(runner: web.AppRunner, *sockets: socket.socket) -> None:
    """Lets the application answer on these sockets."""
    for sock in sockets:
        # To asyncio the backlog is also how often it tries to accept in one go, and each try that finds no free descriptor logs an
        # error and begins again by itself: with 1 there is one a second. The kernel's queue is set back to its size.
        await web.SockSite(runner, sock, backlog=1).start()
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
