"""Parses `--in`, `--out`, `--write` and `--read`: into artifacts, which the sidecar transfers, and local files, which jobctl
transfers. Pure; opens no file.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import urlsplit

from jobctl.errors import Misuse
from jobctl.value import Value
from jobd.wire.files.filenames import readable
from jobd.wire.files.paths import path_flaw
from jobd.wire.host_alias import HOST_ALIAS

_URL = re.compile(r"^https?://", re.IGNORECASE)
_OTHER_SCHEME = re.compile(r"^[a-zA-Z][a-zA-Z0-9+.-]+://")


JOB = "job:"
"""Begins a SOURCE in the workspace of an earlier job: `job:ID/PATH`. A local file of such a name is `./job:...`."""


class Transfer(Value):
    """One file or folder between `path` in the workspace and the `local` path. A trailing `/` is kept: the file then goes into
    that folder under its own name.
    """

    path: str
    local: str


class Names(Value):
    """What a caller calls the inputs, outputs, texts and reads of a job, for errors."""

    inputs: str
    outputs: str
    writes: str
    reads: str


FLAGS = Names("--in", "--out", "--write", "--read")


class Transfers(Value):
    """The artifacts of the spec, the uploads of the submission, and the outputs to fetch after the job's end."""

    artifacts: list[Any]
    uploads: tuple[Transfer, ...] = ()
    fetches: tuple[Transfer, ...] = ()


def parse_transfers(
    file_artifacts: object,
    inputs: Sequence[str],
    outputs: Sequence[str],
    writes: Sequence[str],
    reads: Sequence[str],
) -> Transfers:
    """Returns the artifacts of the job file followed by those of the flags, under unused ids, and the local transfers.

    Raises:
        Misuse: a flag has a wrong form, a path is outside the workspace, or a URL names the container itself.
    """
    return transfers_of(
        file_artifacts,
        [_pair("--in", text, "PATH=SOURCE") for text in inputs],
        [_pair("--out", text, "PATH=DESTINATION") for text in outputs],
        [_pair("--write", text, "PATH=TEXT", empty_ok=True) for text in writes],
        reads,
        FLAGS,
    )


def transfers_of(
    file_artifacts: object,
    inputs: Iterable[tuple[str, str]],
    outputs: Iterable[tuple[str, str]],
    writes: Iterable[tuple[str, str]],
    reads: Iterable[str],
    names: Names,
) -> Transfers:
    """Returns the artifacts of a job followed by those of pairs of a path and its source, destination or text. `names`: what the caller
    calls each kind, for errors. Raises as `parse_transfers` does.
    """
    inputs, outputs, writes, reads = list(inputs), list(outputs), list(writes), list(reads)
    if not (inputs or outputs or writes or reads):
        return Transfers(file_artifacts if isinstance(file_artifacts, list) else [])
    if not isinstance(file_artifacts, list):
        raise Misuse("artifacts must be a list", field="artifacts")
    artifacts: list[Any] = list(file_artifacts)
    used_ids = {item.get("id") for item in artifacts if isinstance(item, dict)}

    def add(stem: str, entry: dict[str, Any]) -> None:
        number = 1
        while f"{stem}-{number}" in used_ids:
            number += 1
        used_ids.add(f"{stem}-{number}")
        artifacts.append({"id": f"{stem}-{number}", **entry})

    uploads: list[Transfer] = []
    for given, source in inputs:
        path = _workspace_path(names.inputs, given)
        if source.startswith(JOB):
            job_id, inner = job_source(path, source, names.inputs)
            add("in", {"type": "job", "job": job_id, "in": inner, "out": path})
        elif _is_url(names.inputs, source):
            out = _file_path(path, source, names.inputs)
            add("in", {"type": "download", "in": source, "out": out})
        else:
            uploads.append(Transfer(path, source))
    for given, content in writes:
        add("write", {"type": "write", "in": content, "out": _workspace_path(names.writes, given)})
    fetches: list[Transfer] = []
    for given, target in outputs:
        path = _workspace_path(names.outputs, given)
        if _is_url(names.outputs, target):
            add("out", {"type": "upload", "in": path, "out": target, "depends": "job"})
        else:
            fetches.append(Transfer(path, target))
    for given in reads:
        add("read", {"type": "read", "in": _workspace_path(names.reads, given), "depends": "job"})
    return Transfers(artifacts, tuple(uploads), tuple(fetches))


def job_source(path: str, source: str, name: str = "--in") -> tuple[str, str]:
    """Returns the id and the path of `job:ID/PATH`; without a path, the job's whole workspace. The daemon checks the id.

    Raises:
        Misuse: there is no id, or the path is outside the workspace.
    """
    job_id, _, inner = source.removeprefix(JOB).partition("/")
    if not job_id:
        raise Misuse(
            f"{name} {path}={source}: there is no id after {JOB}",
            field="artifacts",
            hint=f"{name} {path}=job:ID/PATH; a local file: {name} {path}=./{source}",
        )
    if inner and path_flaw(inner):
        raise Misuse(
            f"{name} {path}={source}: {inner!r} must be a path inside the workspace of job {job_id}",
            field="artifacts",
            hint="remove the leading / and every ..",
        )
    return job_id, readable(inner) or "."


def in_container_host(url: str) -> str | None:
    """Returns the URL with the host alias instead of a loopback host, or None for other hosts. Inside a container, localhost is the
    container.
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
    return path, value


def _workspace_path(flag: str, path: str) -> str:
    if not path or path_flaw(path):
        raise Misuse(
            f"{flag}: {path!r} must be a path inside the workspace",
            field="artifacts",
            hint="remove the leading / and every ..",
        )
    return readable(path)


def _file_path(path: str, url: str, flag: str) -> str:
    """Returns `path`; where `path` is a folder (`data/`), the URL's file name in that folder."""
    if not path.endswith("/") and path != ".":
        return path
    name = urlsplit(url).path.rpartition("/")[2]
    if not name or name in (".", ".."):
        raise Misuse(
            f"{flag} {path}={url}: the URL has no file name; give one: {path.rstrip('/')}/NAME",
            field="artifacts",
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
            f"{flag}: {text} names the container itself: inside a container, localhost is not this machine",
            field="artifacts",
            hint=f"use {better}",
        )
    return True
