"""From the flags of `run` and a job file to what is sent and what is fetched afterwards. Flags override the file.

Pure: the environment, the file's fields and a fresh id are given, and no file is opened. What a spec may hold beyond
that is the daemon's to check, by the same contract.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from jobctl.errors import Misuse
from jobctl.quantities import memory_mb, whole_seconds

Tree = dict[str, Any]

_URL = re.compile(r"^https?://", re.IGNORECASE)
_OTHER_SCHEME = re.compile(r"^[a-zA-Z][a-zA-Z0-9+.-]+://")
_NOT_IN_ID = re.compile(r"[^a-zA-Z0-9_-]+")
_LONGEST_ID_STEM = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Flags:
    """What was typed. Texts are as given; `image` and what follows it come from the arguments."""

    image: str | None = None
    command: Sequence[str] = ()
    shell: str | None = None
    name: str | None = None
    env: Sequence[str] = ()
    env_files: Sequence[tuple[str, str]] = ()
    """(name of the file, its text)"""
    workdir: str | None = None
    memory: str | None = None
    cpus: float | None = None
    pids_limit: int | None = None
    user: str | None = None
    pull: str | None = None
    platform: str | None = None
    runtime: str | None = None
    entrypoint: str | None = None
    labels: Sequence[str] = ()
    meta: Sequence[str] = ()
    timeout: str | None = None
    callback: str | None = None
    callback_key: str | None = field(default=None, repr=False)
    inputs: Sequence[str] = ()
    outputs: Sequence[str] = ()
    writes: Sequence[str] = ()
    reads: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Carry:
    """One file or folder between the workspace's `path` and the caller's `local` one. A `/` at an end is kept:
    it says that the other side's name goes into that folder.
    """

    path: str
    local: str


@dataclass(frozen=True, slots=True)
class Plan:
    """The spec as it goes on the wire, the local files that go with it, and what is fetched after the end."""

    spec: Tree
    uploads: tuple[Carry, ...] = ()
    fetches: tuple[Carry, ...] = ()


def plan(flags: Flags, file: Tree, environ: Mapping[str, str], fresh: str) -> Plan:
    """Returns the plan of one submission. `fresh` is a few random characters for an id that nobody gave.

    Raises:
        Misuse: a flag that cannot be; `field` names the spec's field where there is one.
    """
    spec = dict(file)
    _set(spec, "image", flags.image)
    if not isinstance(spec.get("image"), str) or not spec["image"]:
        raise Misuse(
            "no image given", field="image", hint="jobctl run IMAGE [COMMAND...], or image: in the job file"
        )
    _set(spec, "id", flags.name)
    spec.setdefault("id", generated_id(spec["image"], fresh))
    _command(spec, flags)
    _limits(spec, flags)
    _set(spec, "workspace", flags.workdir)
    _set(spec, "user", flags.user)
    _set(spec, "pull", flags.pull)
    _set(spec, "platform", flags.platform)
    _set(spec, "runtime", flags.runtime)
    _set(spec, "pids", flags.pids_limit)
    _merge(spec, "environment", environment(flags.env, flags.env_files, environ))
    _merge(spec, "labels", _key_values("--label", flags.labels))
    _merge(spec, "meta", _key_values("--meta", flags.meta))
    _callback(spec, flags)
    uploads, fetches = _artifacts(spec, flags)
    return Plan(spec, tuple(uploads), tuple(fetches))


def generated_id(image: str, fresh: str) -> str:
    """Returns a short, readable id: the image's base name and `fresh`."""
    base = image.partition("@")[0].rpartition("/")[2].partition(":")[0]
    stem = _NOT_IN_ID.sub("-", base)[:_LONGEST_ID_STEM].strip("-_") or "job"
    return f"{stem}-{fresh}"


def environment(
    pairs: Sequence[str], files: Sequence[tuple[str, str]], environ: Mapping[str, str]
) -> dict[str, str]:
    """Returns the variables of --env-file, then those of -e, which win. A bare NAME takes the caller's value, and is
    left out where the caller has none, as docker does.

    Raises:
        Misuse: an entry without a name; the file's name and line, or the flag, is in the message.
    """
    found: dict[str, str] = {}
    for source, text in files:
        for number, line in enumerate(text.splitlines(), 1):
            entry = line.lstrip()
            if entry and not entry.startswith("#"):
                _variable(found, entry, f"{source}:{number}", environ)
    for pair in pairs:
        _variable(found, pair, "-e", environ)
    return found


def _variable(found: dict[str, str], entry: str, at: str, environ: Mapping[str, str]) -> None:
    name, equals, value = entry.partition("=")
    if not name or name != name.strip() or any(c.isspace() for c in name):
        raise Misuse(f"{at}: {entry!r} does not name a variable; use NAME=VALUE or NAME", field="environment")
    if equals:
        found[name] = value
    elif name in environ:
        found[name] = environ[name]


def in_container_host(url: str) -> str | None:
    """Returns the URL with `host.docker.internal` in the place of this machine's loopback names, or None where it has
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
    return parts._replace(netloc="host.docker.internal" + (f":{port}" if port else "")).geturl()


def _command(spec: Tree, flags: Flags) -> None:
    if flags.shell is not None and flags.command:
        raise Misuse("--sh and a command after the image exclude each other", field="command")
    if flags.shell is not None and flags.entrypoint is not None:
        raise Misuse(
            "--sh runs /bin/sh in the entrypoint's place; leave --entrypoint out", field="entrypoint"
        )
    if flags.entrypoint is not None:
        spec["entrypoint"] = [flags.entrypoint]
    if flags.shell is not None:
        spec["command"] = flags.shell
        spec.pop("entrypoint", None)
    elif flags.command:
        spec["command"] = list(flags.command)


def _limits(spec: Tree, flags: Flags) -> None:
    try:
        if flags.memory is not None:
            spec["memory"] = memory_mb(flags.memory)
    except ValueError as error:
        raise Misuse(f"--memory: {error}", field="memory") from None
    try:
        if flags.timeout is not None:
            spec["timeoutSeconds"] = whole_seconds(flags.timeout)
    except ValueError as error:
        raise Misuse(f"--timeout: {error}", field="timeoutSeconds") from None
    _set(spec, "cpu", flags.cpus)
    if flags.cpus is not None and not 0 < flags.cpus < float("inf"):
        raise Misuse("--cpus must be more than 0, for instance 0.5 or 2", field="cpu")


def _callback(spec: Tree, flags: Flags) -> None:
    if flags.callback is None and flags.callback_key is None:
        return
    callback = spec.get("callback")
    callback = dict(callback) if isinstance(callback, dict) else {}
    _set(callback, "url", flags.callback)
    _set(callback, "key", flags.callback_key)
    if "url" not in callback:
        raise Misuse("--callback-key-file needs --callback URL", field="callback.url")
    spec["callback"] = callback


def _artifacts(spec: Tree, flags: Flags) -> tuple[list[Carry], list[Carry]]:
    given = spec.get("artifacts", [])
    if not (flags.inputs or flags.outputs or flags.writes or flags.reads):
        return [], []
    if not isinstance(given, list):
        raise Misuse("artifacts must be a list", field="artifacts")
    artifacts: list[Any] = list(given)
    taken = {item.get("id") for item in artifacts if isinstance(item, dict)}

    def add(stem: str, entry: Tree) -> None:
        number = 1
        while f"{stem}-{number}" in taken:
            number += 1
        taken.add(f"{stem}-{number}")
        artifacts.append({"id": f"{stem}-{number}", **entry})

    uploads: list[Carry] = []
    for text in flags.inputs:
        path, source = _pair("--in", text, "PATH=SOURCE")
        if _is_url("--in", source):
            add("in", {"type": "download", "in": source, "out": _named(path, source)})
        else:
            uploads.append(Carry(path, source))
    for text in flags.writes:
        path, content = _pair("--write", text, "PATH=TEXT", empty_ok=True)
        add("write", {"type": "write", "in": content, "out": path})
    fetches: list[Carry] = []
    for text in flags.outputs:
        path, target = _pair("--out", text, "PATH=DESTINATION")
        if _is_url("--out", target):
            add("out", {"type": "upload", "in": path, "out": target, "depends": "job"})
        else:
            fetches.append(Carry(path, target))
    for path in flags.reads:
        add("read", {"type": "read", "in": _workspace_path("--read", path), "depends": "job"})
    if artifacts:
        spec["artifacts"] = artifacts
    return uploads, fetches


def _pair(flag: str, text: str, form: str, *, empty_ok: bool = False) -> tuple[str, str]:
    path, equals, value = text.partition("=")
    if not equals or not path or not (value or empty_ok):
        raise Misuse(f"{flag} {text!r} must be {form}", field="artifacts")
    return _workspace_path(flag, path), value


def _workspace_path(flag: str, path: str) -> str:
    if path.startswith("/") or ".." in path.split("/") or "\0" in path or not path:
        raise Misuse(
            f"{flag}: {path!r} must be a path inside the workspace",
            field="artifacts",
            hint="leave out the leading / and any ..",
        )
    return path


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


def _key_values(flag: str, pairs: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not key or not equals:
            raise Misuse(
                f"{flag} {pair!r} must be KEY=VALUE", field=flag.removeprefix("--").replace("label", "labels")
            )
        found[key] = value
    return found


def _merge(spec: Tree, key: str, values: dict[str, str]) -> None:
    if not values:
        return
    given = spec.get(key, {})
    if not isinstance(given, dict):
        raise Misuse(f"{key} must be a mapping", field=key)
    spec[key] = {**given, **values}


def _set(tree: Tree, key: str, value: object) -> None:
    if value is not None:
        tree[key] = value
