"""The engine's address: `DOCKER_HOST`, else the current docker context, else the default socket.

Reads these settings into one value for every client of the engine. Makes no connection.

Source: docker docs, "Use the Docker CLI", "Environment variables", and "Docker contexts".
"""

import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from docker.context import ContextAPI
from docker.errors import DockerException

from jobd.jobs.port.errors import RefusedByEngine

DEFAULT_HOST = "unix:///var/run/docker.sock"
_PORT, _TLS_PORT = 2375, 2376


@dataclass(frozen=True, slots=True)
class Tls:
    """The certificate files of a TLS connection; `verify`: check the engine's certificate."""

    ca: str | None
    cert: str | None
    key: str | None
    verify: bool = True

    def context(self) -> ssl.SSLContext:
        """Returns an SSL context with these files.

        Raises: OSError, ssl.SSLError: a file is missing or damaged.
        """
        context = ssl.create_default_context(cafile=self.ca)
        if self.cert is not None:
            context.load_cert_chain(self.cert, self.key)
        if not self.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One engine: `socket_path`, or `host` and `port` with or without `tls`. `url` is the address as the user wrote it."""

    url: str
    socket_path: str | None = None
    host: str = ""
    port: int = 0
    tls: Tls | None = None

    @property
    def base_url(self) -> str:
        """The base of request URLs; over a Unix socket the host name is a placeholder."""
        if self.socket_path is not None:
            return "http://engine"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.tls else 'http'}://{host}:{self.port}"


def endpoint(environ: Mapping[str, str]) -> Endpoint:
    """Returns the engine that the docker CLI would use with these variables.

    Raises: RefusedByEngine: the address is not supported; the message names the supported ones.
    """
    if host := environ.get("DOCKER_HOST"):
        return parse(host, _tls_of_environment(environ))
    return _of_context(environ.get("DOCKER_CONTEXT"))


def parse(url: str, tls: Tls | None) -> Endpoint:
    """Returns the endpoint of `url`; `tls` applies to TCP only.

    Raises: RefusedByEngine: the scheme is not supported, or the URL is invalid.
    """
    scheme = url.partition("://")[0]
    if scheme == "unix":
        path = url.removeprefix("unix://")
        if not path.startswith("/"):
            raise _unusable(url, "unix:// needs an absolute path, as in unix:///var/run/docker.sock")
        return Endpoint(url, socket_path=path)
    if scheme == "ssh":
        raise _unusable(
            url,
            "ssh:// is not supported; forward the socket: ssh -L /tmp/docker.sock:/var/run/docker.sock HOST",
        )
    if scheme not in ("tcp", "http", "https"):
        raise _unusable(url, "use unix:///path or tcp://host:port")
    if scheme == "https" and tls is None:
        tls = Tls(None, None, None)
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if not host:
        raise _unusable(url, "tcp:// needs a host and a port, as in tcp://127.0.0.1:2375")
    return Endpoint(url, host=host, port=port or (_TLS_PORT if tls else _PORT), tls=tls)


def _tls_of_environment(environ: Mapping[str, str]) -> Tls | None:
    folder, verify = environ.get("DOCKER_CERT_PATH"), environ.get("DOCKER_TLS_VERIFY")
    if not folder and not verify:
        return None
    base = Path(folder) if folder else Path(environ.get("DOCKER_CONFIG") or Path.home() / ".docker")

    def existing(name: str) -> str | None:
        return str(base / name) if (base / name).exists() else None

    # For docker, a variable that is set and empty means "do not verify".
    return Tls(existing("ca.pem"), existing("cert.pem"), existing("key.pem"), verify=verify != "")


def _of_context(name: str | None) -> Endpoint:
    context = _read(lambda: ContextAPI.get_context(name) if name else ContextAPI.get_current_context())
    host = getattr(context, "Host", None)
    if name and name != "default" and context is None:
        raise _unusable(f"context {name}", "no such docker context; see: docker context ls")
    if not host or getattr(context, "name", None) == "default":
        return Endpoint(DEFAULT_HOST, socket_path=DEFAULT_HOST.removeprefix("unix://"))
    url = str(host).replace("http+unix://", "unix://")
    config = getattr(context, "TLSConfig", None)
    tls = None
    if config is not None:
        cert, key = config.cert or (None, None)
        tls = Tls(config.ca_cert, cert, key, verify=config.verify is not False)
    return parse(url, tls)


def _read(read: Callable[[], object]) -> object:
    try:
        return read()
    except (DockerException, OSError, ValueError, KeyError, TypeError) as error:
        raise _unusable("docker context", f"cannot read the context: {error}") from error


def _unusable(url: str, why: str) -> RefusedByEngine:
    error = RefusedByEngine(f"cannot reach an engine at {url!r}: {why}")
    error.remedy = "set DOCKER_HOST to unix:///path or tcp://host:port"
    return error
