"""What `--in`, `--out`, `--write` and `--read` mean: artifacts that the job's sidecar moves, or local files that jobctl moves.

Pure; no file is opened and nothing is resolved.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from jobctl.errors import Misuse
from jobd.wire.filenames import readable
from jobd.wire.host_alias import HOST_ALIAS
from jobd.wire.paths import path_flaw

_URL = re.compile(r"^https?://", re.IGNORECASE)
_OTHER_SCHEME = re.compile(r"^[a-zA-Z][a-zA-Z0-9+.-]+://")


@dataclass(frozen=True, slots=True)
class Carry:
    """One file or folder between the workspace's `path` and the caller's `local` one. A `/` at an end is kept:
    it says that the other side's name goes into that folder.
    """

    path: str
    local: str


@dataclass(frozen=True, slots=True)
class Carried:
    """The spec's artifacts, what goes with the submission, and what is fetched after the end."""

    artifacts: list[Any]
    uploads: tuple[Carry, ...] = ()
    fetches: tuple[Carry, ...] = ()


def carry(
    given: object, inputs: Sequence[str], outputs: Sequence[str], writes: Sequence[str], reads: Sequence[str]
) -> Carried:
    """Returns the file's artifacts with those of the flags behind them, under ids that are free, and the local transfers.

    Raises:
        Misuse: a flag that has not its form, a path outside the workspace, a URL that a container cannot mean.
    """
    if not (inputs or outputs or writes or reads):
        return Carried(given if isinstance(given, list) else [])
    if not isinstance(given, list):
        raise Misuse("artifacts must be a list", field="artifacts")
    artifacts: list[Any] = list(given)
    taken = {item.get("id") for item in artifacts if isinstance(item, dict)}

    def add(stem: str, entry: dict[str, Any]) -> None:
        number = 1
        while f"{stem}-{number}" in taken:
            number += 1
        taken.add(f"{stem}-{number}")
        artifacts.append({"id": f"{stem}-{number}", **entry})

    uploads: list[Carry] = []
    for text in inputs:
        path, source = _pair("--in", text, "PATH=SOURCE")
        if _is_url("--in", source):
            add("in", {"type": "download", "in": source, "out": _named(path, source)})
        else:
            uploads.append(Carry(path, source))
    for text in writes:
        path, content = _pair("--write", text, "PATH=TEXT", empty_ok=True)
        add("write", {"type": "write", "in": content, "out": path})
    fetches: list[Carry] = []
    for text in outputs:
        path, target = _pair("--out", text, "PATH=DESTINATION")
        if _is_url("--out", target):
            add("out", {"type": "upload", "in": path, "out": target, "depends": "job"})
        else:
            fetches.append(Carry(path, target))
    for path in reads:
        add("read", {"type": "read", "in": _workspace_path("--read", path), "depends": "job"})
    return Carried(artifacts, tuple(uploads), tuple(fetches))


def in_container_host(url: str) -> str | None:
    """Returns the URL with the host alias in the place of this machine's loopback names, or None where it has
    none: inside a container, localhost is the container.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return None
    from ipaddress import ip_address

    name = host.rstrip(".").lower()
    try:
        address = ip_address(name)
        loopback = address.is_loopback or address.is_unspecified
    except ValueError:
        loopback = name == "localhost" or name.endswith(".localhost")
    if not loopback:
        return None
    return parts._replace(netloc=HOST_ALIAS + (f":{port}" if port else "")).geturl()


def _pair(flag: str, text: str, form: str, *, empty_ok: bool = False) -> tuple[str, str]:
    path, equals, value = text.partition("=")
    if not equals or not path or not (value or empty_ok):
        raise Misuse(f"{flag} {text!r} must be {form}", field="artifacts")
    return _workspace_path(flag, path), value


def _workspace_path(flag: str, path: str) -> str:
    if not path or path_flaw(path):
        raise Misuse(
            f"{flag}: {path!r} must be a path inside the workspace",
            field="artifacts",
            hint="leave out the leading / and any ..",
        )
    return readable(path)


def _named(path: str, url: str) -> str:
    """`data/` and a URL: the URL's last name goes into that folder."""
    if not path.endswith("/") and path != ".":
        return path
    name = urlsplit(url).path.rpartition("/")[2]
    if not name or name in (".", ".."):
        raise Misuse(
            f"--in {path}={url}: the URL has no file name; say {path.rstrip('/')}/NAME", field="artifacts"
        )
    return name if path == "." else path + name


def _is_url(flag: str, text: str) -> bool:
    if not _URL.match(text):
        if _OTHER_SCHEME.match(text):
            raise Misuse(
                f"{flag}: {text.partition('://')[0]}:// is not supported; use http(s):// or a local path",
                field="artifacts",
            )
        return False
    if better := in_container_host(text):
        raise Misuse(
            f"{flag}: in a container, localhost is the container itself and not this machine: {text}",
            field="artifacts",
            hint=f"use {better}",
        )
    return True
