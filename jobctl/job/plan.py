"""From the flags of `run` and a job file to what is sent and what is fetched afterwards. Flags override the file.

Pure: the environment, the file's fields and a fresh id are given, and no file is opened. What a spec may hold beyond
that is the daemon's to check, by the same contract.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from jobctl.connection.config import Default
from jobctl.errors import Misuse
from jobctl.job import env_file, transfers
from jobctl.job.transfers import Carry
from jobctl.job.units import cores, memory_mb, whole_seconds

Tree = dict[str, Any]

EVENT_PREFIX = "orchestrator.job."
_NOT_IN_ID = re.compile(r"[^a-zA-Z0-9_-]+")
_CODE = re.compile(r"[0-9]{1,9}")
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
    read_only: bool = False
    cap_drop: Sequence[str] = ()
    cap_add: Sequence[str] = ()
    secrets: Sequence[tuple[str, str]] = field(default=(), repr=False)
    """(name, text of its file)"""
    entrypoint: str | None = None
    labels: Sequence[str] = ()
    meta: Sequence[str] = ()
    timeout: str | None = None
    callback: str | None = None
    callback_key: str | None = field(default=None, repr=False)
    callback_events: Sequence[str] = ()
    callback_batch: bool = False
    retries: int | None = None
    retry_on: Sequence[str] = ()
    inputs: Sequence[str] = ()
    outputs: Sequence[str] = ()
    writes: Sequence[str] = ()
    reads: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """The spec as it goes on the wire, the local files that go with it, and what is fetched after the end."""

    spec: Tree
    uploads: tuple[Carry, ...] = ()
    fetches: tuple[Carry, ...] = ()


def plan(
    flags: Flags, file: Tree, environ: Mapping[str, str], fresh: str, defaults: Sequence[Default] = ()
) -> Plan:
    """Returns the plan of one submission. `fresh` is a few random characters for an id that nobody gave, `defaults` are the
    workstation's.

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
    if spec.get("id") is None:
        spec["id"] = generated_id(spec["image"], fresh)
    _command(spec, flags)
    _limits(spec, flags)
    set_defaults(spec, defaults)
    _set(spec, "workspace", flags.workdir)
    _set(spec, "user", flags.user)
    _set(spec, "pull", flags.pull)
    _set(spec, "platform", flags.platform)
    _set(spec, "runtime", flags.runtime)
    _set(spec, "pids", flags.pids_limit)
    _set(spec, "readOnly", flags.read_only or None)
    _set(spec, "capDrop", _capabilities(flags.cap_drop))
    _set(spec, "capAdd", _capabilities(flags.cap_add))
    _merge(spec, "environment", environment(flags.env, flags.env_files, environ))
    _merge(spec, "secrets", dict(flags.secrets))
    _merge(spec, "labels", _key_values("--label", flags.labels))
    _merge(spec, "meta", _key_values("--meta", flags.meta))
    _retries(spec, flags)
    _callback(spec, flags)
    carried = transfers.carry(
        _given(spec, "artifacts", []), flags.inputs, flags.outputs, flags.writes, flags.reads
    )
    if carried.artifacts:
        spec["artifacts"] = carried.artifacts
    return Plan(spec, carried.uploads, carried.fetches)


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
        for name, value in env_file.entries(text, source):
            _variable(found, name, value, environ)
    for pair in pairs:
        name, equals, given = pair.partition("=")
        env_file.check_name(name, pair, "-e")
        _variable(found, name, given if equals else None, environ)
    return found


def _variable(found: dict[str, str], name: str, value: str | None, environ: Mapping[str, str]) -> None:
    if value is not None:
        found[name] = value
    elif name in environ:
        found[name] = environ[name]


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
    if flags.memory is not None:
        spec["memory"] = _amount(memory_mb, flags.memory, "--memory", "memory")
    if flags.timeout is not None:
        spec["timeoutSeconds"] = _amount(whole_seconds, flags.timeout, "--timeout", "timeoutSeconds")
    if flags.cpus is not None:
        spec["cpu"] = _amount(cores, str(flags.cpus), "--cpus", "cpu")


def set_defaults(spec: Tree, defaults: Sequence[Default]) -> None:
    """Sets the workstation's defaults in a spec where it says nothing.

    Raises:
        Misuse: one of those that count is no amount; the text names where it stands.
    """
    for default in defaults:
        name, convert = _DEFAULTED[default.name]
        if spec.get(name) is None:
            spec[name] = _amount(convert, default.text, default.source, name)


_DEFAULTED: dict[str, tuple[str, Callable[[str], Any]]] = {
    "memory": ("memory", memory_mb),
    "cpus": ("cpu", cores),
    "timeout": ("timeoutSeconds", whole_seconds),
}


def _amount(convert: Callable[[str], Any], text: str, source: str, field: str) -> Any:
    try:
        return convert(text)
    except ValueError as error:
        raise Misuse(f"{source}: {error}", field=field) from None


def _callback(spec: Tree, flags: Flags) -> None:
    given = {
        "--callback-key-file": ("key", flags.callback_key),
        "--callback-events": (
            "events",
            [_event_type(name) for name in _words(flags.callback_events)] or None,
        ),
        "--callback-batch": ("batch", flags.callback_batch or None),
    }
    wished = {flag: pair for flag, pair in given.items() if pair[1] is not None}
    if flags.callback is None and not wished:
        return
    callback = spec.get("callback")
    callback = dict(callback) if isinstance(callback, dict) else {}
    _set(callback, "url", flags.callback)
    if not callback.get("url"):
        raise Misuse(f"{next(iter(wished))} needs --callback URL", field="callback.url")
    callback.update(wished.values())
    spec["callback"] = callback


def _event_type(name: str) -> str:
    """The last word of a type is enough: exit is orchestrator.job.exit."""
    return name if "." in name else EVENT_PREFIX + name


def _retries(spec: Tree, flags: Flags) -> None:
    _set(spec, "retries", flags.retries)
    causes = _words(flags.retry_on)
    if not causes:
        return
    if not spec.get("retries"):
        raise Misuse("--retry-on needs --retries N", field="retries", hint="for instance: --retries 3")
    spec["retryOn"] = [int(cause) if _CODE.fullmatch(cause) else cause for cause in causes]


def _capabilities(given: Sequence[str]) -> list[str] | None:
    """As docker takes them: in any case, with or without CAP_."""
    return [word.upper().removeprefix("CAP_") for word in _words(given)] or None


def _words(given: Sequence[str]) -> list[str]:
    """Returns the words of a flag that may be repeated and may hold several, with commas between; each once."""
    words = (part.strip() for text in given for part in text.split(","))
    return list(dict.fromkeys(word for word in words if word))


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
    given = _given(spec, key, {})
    if not isinstance(given, dict):
        raise Misuse(f"{key} must be a mapping", field=key)
    spec[key] = {**given, **values}


def _given(spec: Tree, key: str, absent: object) -> Any:
    """A field that is null is absent, as it is to jobd."""
    value = spec.get(key)
    return absent if value is None else value


def _set(tree: Tree, key: str, value: object) -> None:
    if value is not None:
        tree[key] = value
