"""The daemon's address and API key: --host, then JOBCTL_HOST, the context file, the user's socket, the system's socket.

Owns this order. Reads files and opens no connection; `client.py` tries the targets in turn. Every command runs this: paths are text, since
`pathlib` takes longer to import than all of this takes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from jobctl.errors import LocalFile, Misuse, NotAllowed
from jobctl.value import Value

if TYPE_CHECKING:
    from pathlib import Path

SYSTEM_SOCKET = "/run/jobd/jobd.sock"
RUNTIME_DIRS = "/run/user"
DEFAULT_PORT = 8080
DEFAULTS = ("memory", "cpus", "timeout")
LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})


class Target(Value):
    """An address of a daemon: a Unix socket's `path`, or `host` and `port`."""

    _secret = frozenset({"key"})

    scheme: str
    path: str = ""
    host: str = ""
    port: int = 0
    key: str | None = None
    ca_file: str | None = None

    @property
    def authority(self) -> str:
        """The value of the Host header: `host:port`, or `localhost` for a socket."""
        if self.scheme == "unix":
            return "localhost"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def __str__(self) -> str:
        return f"unix://{self.path}" if self.scheme == "unix" else f"{self.scheme}://{self.authority}"


class Default(Value):
    """A default of this workstation for `memory`, `cpus` or `timeout`, and the variable or file that sets it."""

    name: str
    text: str
    source: str


def targets(host: str | None, environ: Mapping[str, str]) -> Iterator[Target]:
    """Yields the addresses to try, in order; several only where none was configured.

    Raises:
        Misuse: the address is invalid.
        LocalFile, NotAllowed: the context or key file cannot be read.
    """
    key_file = environ.get("JOBCTL_API_KEY_FILE") or None
    named = host or environ.get("JOBCTL_HOST") or None
    if named is None:
        named, context_key_file = context(environ)
        key_file = key_file or context_key_file
    if named is not None:
        yield with_key(parse_host(named), key_file, environ)
        return
    for path in sockets(environ):
        yield Target("unix", path=path)


def parse_host(text: str) -> Target:
    """Returns the target of `unix:///path` or `http://host:port` (also https); a bare absolute path is a socket.

    Raises:
        Misuse: the text has another form.
    """
    example = "use unix:///path/to/jobd.sock or http://host:8080"
    if text.startswith("/"):
        return Target("unix", path=text)
    if text.startswith("unix:///") and text.isprintable() and not set("?#") & set(text):
        return Target("unix", path=text.removeprefix("unix://"))
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise Misuse(f"the host {text!r} is not an address", hint=example) from None
    if parts.scheme == "unix" and not parts.netloc and parts.path.startswith("/"):
        return Target("unix", path=parts.path)
    if parts.scheme in ("http", "https") and parts.hostname and port != 0 and parts.path in ("", "/"):
        if parts.username or parts.password:
            raise Misuse(
                "the host must not contain a key or password",
                hint="put the key in a file named by JOBCTL_API_KEY_FILE",
            )
        return Target(
            parts.scheme, host=parts.hostname, port=port or (443 if parts.scheme == "https" else DEFAULT_PORT)
        )
    raise Misuse(f"the host {text!r} is not an address", hint=example)


def with_key(target: Target, key_file: str | None, environ: Mapping[str, str]) -> Target:
    """Returns the target with its key: from `key_file`, or for a daemon on this machine from jobd's state directory. A Unix socket
    needs no key.

    Raises:
        LocalFile, NotAllowed: the named file cannot be read or is empty.
    """
    if target.scheme == "unix":
        return target
    from pathlib import Path

    key: str | None = None
    if key_file is not None:
        key = read_key(Path(key_file).expanduser())
    elif target.host in LOOPBACK_HOSTS:
        key = _own_key(Path(state_dir(environ)) / "api-key")
    ca_file = environ.get("JOBCTL_CA_FILE") or None if target.scheme == "https" else None
    return Target(target.scheme, host=target.host, port=target.port, key=key, ca_file=ca_file)


def read_key(path: Path) -> str:
    """Returns the key in a file, stripped.

    Raises:
        NotAllowed: this user may not read the file.
        LocalFile: the file does not exist, is empty, or holds more than one line.
    """
    try:
        key = path.read_text(encoding="utf-8").strip()
    except PermissionError:
        raise NotAllowed(f"this user may not read the key file {path}", hint=f"ls -l {path}") from None
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "the file is not UTF-8 text"
        raise LocalFile(
            f"the key file {path} cannot be read: {why}", hint="JOBCTL_API_KEY_FILE names this file"
        ) from None
    if not key or not key.isprintable() or " " in key or not key.isascii():
        raise LocalFile(
            f"the key file {path} does not contain one key", hint="the file must be one line of text"
        )
    return key


def _own_key(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8").strip() or None
    except (OSError, UnicodeDecodeError):
        return None


def sockets(environ: Mapping[str, str]) -> Iterator[str]:
    """Yields the sockets to try where no host is configured: the user's, then the system's."""
    if named := environ.get("JOBD_SOCKET"):
        yield named
        return
    folders = [named.rstrip("/") or "/"] if (named := environ.get("XDG_RUNTIME_DIR")) else []
    own = os.path.join(RUNTIME_DIRS, str(os.getuid()))  # cron, sudo and su do not set XDG_RUNTIME_DIR
    if own not in folders and os.path.isdir(own):
        folders.append(own)
    for folder in folders:
        yield os.path.join(folder, "jobd", "jobd.sock")
    yield os.path.join(state_dir(environ), "jobd.sock")
    yield SYSTEM_SOCKET


def state_dir(environ: Mapping[str, str]) -> str:
    """Returns jobd's state directory: JOBD_STATE_DIR, else the platform's default."""
    if named := environ.get("JOBD_STATE_DIR"):
        return named
    import platformdirs

    return platformdirs.user_state_dir("jobd")


def context_path(environ: Mapping[str, str]) -> str:
    """Returns the context file: JOBCTL_CONFIG, else `jobctl/contexts.toml` in the user's configuration folder."""
    if named := environ.get("JOBCTL_CONFIG"):
        return named
    return os.path.join(config_home(environ), "jobctl", "contexts.toml")


def config_home(environ: Mapping[str, str]) -> str:
    """Returns the user's configuration folder: XDG_CONFIG_HOME, else `~/.config`."""
    named = environ.get("XDG_CONFIG_HOME")
    return named or os.path.join(os.path.expanduser(environ.get("HOME") or "~"), ".config")


def _context_tree(path: str) -> dict[str, Any] | None:
    try:
        with open(path, "rb") as file:
            raw = file.read()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise LocalFile(f"the context file {path} cannot be read: {error.strerror}") from None
    import tomllib

    try:
        return tomllib.loads(raw.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise LocalFile(f"the context file {path} is not TOML: {error}") from None


def defaults(environ: Mapping[str, str]) -> list[Default]:
    """Returns this workstation's defaults, for jobs where neither a flag nor the job file sets the field: JOBCTL_DEFAULT_MEMORY,
    JOBCTL_DEFAULT_CPUS and JOBCTL_DEFAULT_TIMEOUT, else `default_memory`, `default_cpus` and `default_timeout` of the context file.

    Raises:
        LocalFile: the context file cannot be read.
    """
    path = context_path(environ)
    tree = _context_tree(path) or {}
    result = []
    for name in DEFAULTS:
        variable = f"JOBCTL_DEFAULT_{name.upper()}"
        if text := environ.get(variable):
            result.append(Default(name, text, variable))
        elif (value := tree.get(f"default_{name}")) is not None:
            result.append(Default(name, str(value), f"default_{name} in {path}"))
    return result


def context(environ: Mapping[str, str]) -> tuple[str | None, str | None]:
    """Returns the host and the key file of the current context, or (None, None) without one.

    The file selects a context with `current = "lab"` and defines it in `[contexts.lab]` with `host` and `api_key_file`;
    JOBCTL_CONTEXT selects another one.

    Raises:
        LocalFile: the file cannot be read, or does not define the context.
    """
    path = context_path(environ)
    tree = _context_tree(path)
    if tree is None:
        if named := environ.get("JOBCTL_CONTEXT"):
            raise LocalFile(f"the context {named!r} is not defined: {path} does not exist")
        return None, None
    name = environ.get("JOBCTL_CONTEXT") or tree.get("current")
    if not name:
        return None, None
    contexts = tree.get("contexts")
    entry = contexts.get(name) if isinstance(contexts, dict) else None
    if not isinstance(entry, dict) or not isinstance(entry.get("host"), str):
        raise LocalFile(
            f"the context {name!r} in {path} has no host",
            hint=f'add [contexts.{name}] with host = "http://host:8080"',
        )
    key_file = entry.get("api_key_file")
    if key_file is not None and not isinstance(key_file, str):
        raise LocalFile(f"api_key_file of the context {name!r} in {path} must be text")
    return entry["host"], key_file
