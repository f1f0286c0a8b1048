"""Connections to the daemon over its Unix socket or TCP, and the errors where there is none.

A Unix socket is made from `_socket`, on which the module `socket` is built: the enums and selectors of `socket` take as long to import as the
rest of the connection.
"""

from __future__ import annotations

import _socket
import os
from typing import TYPE_CHECKING

from jobctl.connection.config import LOOPBACK_HOSTS, SYSTEM_SOCKET, Target, config_home, sockets
from jobctl.errors import LocalFile, NotAllowed, Unreachable

if TYPE_CHECKING:
    import socket

CONNECT_TIMEOUT_S = 5.0


def connected(target: Target) -> _socket.socket:
    """Returns an open connection to the daemon at `target`.

    Raises:
        Unreachable: the daemon does not accept it; the message says how to start the daemon.
        NotAllowed: this user may not use the socket.
    """
    try:
        if target.scheme == "unix":
            return _unix(target.path)
        import socket

        connection = socket.create_connection((target.host, target.port), CONNECT_TIMEOUT_S)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return _secured(connection, target) if target.scheme == "https" else connection
    except PermissionError:
        raise NotAllowed(
            f"this user may not use the socket {target.path}",
            hint="join the group of the socket: sudo usermod -aG jobd $USER, then log in again",
        ) from None
    except OSError as error:
        raise _unreachable(target, error) from None


def _unix(path: str) -> _socket.socket:
    connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    try:
        connection.settimeout(CONNECT_TIMEOUT_S)
        connection.connect(path)
    except BaseException:
        connection.close()
        raise
    return connection


def _secured(connection: socket.socket, target: Target) -> _socket.socket:
    import ssl

    try:
        context = ssl.create_default_context(cafile=target.ca_file)
        return context.wrap_socket(connection, server_hostname=target.host)
    except ssl.SSLCertVerificationError as error:
        connection.close()
        raise NotAllowed(
            f"the certificate of {target} is not trusted: {error.verify_message}",
            hint="set JOBCTL_CA_FILE to the file of the authority that signed the certificate",
            code="certificate-not-trusted",
        ) from None
    except (FileNotFoundError, IsADirectoryError) as error:
        connection.close()
        raise LocalFile(f"JOBCTL_CA_FILE: {target.ca_file}: {error.strerror}") from None
    except BaseException:
        connection.close()
        raise


def _unreachable(target: Target, error: OSError) -> Unreachable:
    code = "connection-refused" if isinstance(error, ConnectionRefusedError) else "daemon-unreachable"
    if target.scheme != "unix":
        start = f"jobd --port {target.port}" if target.host in LOOPBACK_HOSTS else "jobd on that machine"
        return Unreachable(
            f"jobd does not answer at {target} ({why(error)}); start it with: {start}", code=code
        )
    return Unreachable(
        f"jobd is not running at {target.path}; start it with: {start_command(target.path)}", code=code
    )


def start_command(socket_path: str) -> str:
    """Returns the command that starts the daemon of a local socket: through systemd where a unit exists."""
    from pathlib import Path

    system_units = (Path("/etc/systemd/system"), Path("/usr/lib/systemd/system"))
    if socket_path == SYSTEM_SOCKET and any((folder / "jobd.service").exists() for folder in system_units):
        return "sudo systemctl start jobd"
    for folder in (
        Path(config_home(os.environ)) / "systemd/user",
        Path("/etc/systemd/user"),
        Path("/usr/lib/systemd/user"),
    ):
        if (folder / "jobd.service").exists():
            return "systemctl --user start jobd"
    default = next(iter(sockets({k: v for k, v in os.environ.items() if k != "JOBD_SOCKET"})))
    return "jobctl daemon start" if socket_path == default else f"jobd --socket {socket_path}"


def why(error: Exception) -> str:
    """Returns the reason of a connection's failure in a few words."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    if isinstance(error, TimeoutError):
        return "timed out"
    return str(error) or type(error).__name__
