"""Builds a submission from the flags of `run` and a job file: the spec, the uploads and the outputs. Flags override the file.

Pure but for the caller's uid: the environment, the file's fields and a random id are arguments, and no file is opened. The daemon
checks the spec.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from jobctl.errors import Misuse
from jobctl.flag_words import number_or_word
from jobctl.job.spec.flag_values import capabilities, distinct, given_name, key_values
from jobctl.value import Value

if TYPE_CHECKING:
    from jobctl.connection.config import Default
    from jobctl.transfers.transfer_flags import Transfer

Tree = dict[str, Any]

EVENT_PREFIX = "orchestrator.job."
ME = "me"
_NOT_IN_ID = re.compile(r"[^a-zA-Z0-9_-]+")
_LONGEST_ID_STEM = 40


class Flags(Value):
    """The flags and arguments of `run`, as typed."""

    _secret = frozenset({"secrets", "callback_key"})

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
    interactive: bool = False
    tty: bool = False
    cap_drop: Sequence[str] = ()
    cap_add: Sequence[str] = ()
    secrets: Sequence[tuple[str, str]] = ()
    """(name, text of its file)"""
    entrypoint: str | None = None
    labels: Sequence[str] = ()
    meta: Sequence[str] = ()
    timeout: str | None = None
    callback: str | None = None
    callback_key: str | None = None
    callback_events: Sequence[str] = ()
    callback_batch: bool = False
    retries: int | None = None
    retry_on: Sequence[str] = ()
    priority: int | None = None
    group: str | None = None
    set: str | None = None
    after: Sequence[str] = ()
    gpus: str | None = None
    container: Sequence[str] = ()
    """Docker's flags for the container, each as NAME=VALUE; see `container_flags.py`."""
    inputs: Sequence[str] = ()
    outputs: Sequence[str] = ()
    writes: Sequence[str] = ()
    reads: Sequence[str] = ()


class Plan(Value):
    """The spec in the API's form, the local files to upload, and the outputs to fetch after the job's end."""

    spec: Tree
    uploads: tuple[Transfer, ...] = ()
    fetches: tuple[Transfer, ...] = ()

    @property
    def is_interactive(self) -> bool:
        """Returns whether a client takes part in the job: it has a standard input or a terminal."""
        return bool(self.spec.get("stdin") or self.spec.get("tty"))

    def with_client(self) -> Plan:
        """Returns the plan of a job whose start waits for this client."""
        return Plan({**self.spec, "attach": True}, self.uploads, self.fetches)


def plan(
    flags: Flags, file: Tree, environ: Mapping[str, str], fresh: str, defaults: Sequence[Default] = ()
) -> Plan:
    """Returns the plan of one submission. `fresh`: random characters for a generated id; `defaults`: those of this workstation.

    Raises:
        Misuse: a flag is invalid; `field` names the field of the spec.
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
    if flags.container or spec.get("mounts") or spec.get("workingDir"):
        from jobctl.job.spec.container_flags import set_container_fields, set_workdir

        set_container_fields(spec, flags.container)
        set_workdir(spec, flags.workdir)
    else:
        _set(spec, "workspace", flags.workdir)
    if flags.user is not None:
        spec["user"] = own_user() if flags.user == ME else flags.user
    _set(spec, "pull", flags.pull)
    _set(spec, "platform", flags.platform)
    _set(spec, "runtime", flags.runtime)
    _set(spec, "pids", flags.pids_limit)
    _set(spec, "readOnly", flags.read_only or None)
    _set(spec, "stdin", flags.interactive or None)
    _set(spec, "tty", flags.tty or None)
    _set(spec, "capDrop", capabilities("--cap-drop", flags.cap_drop, "capDrop"))
    _set(spec, "capAdd", capabilities("--cap-add", flags.cap_add, "capAdd"))
    if flags.env or flags.env_files:
        from jobctl.job.spec.environment import environment

        _merge(spec, "environment", environment(flags.env, flags.env_files, environ))
    _merge(spec, "secrets", dict(flags.secrets))
    _merge(spec, "labels", key_values("--label", flags.labels))
    _merge(spec, "meta", key_values("--meta", flags.meta))
    _set(spec, "priority", flags.priority)
    _set(spec, "group", given_name("--group", flags.group, "a group", "group"))
    _set(spec, "set", given_name("--set", flags.set, "a set", "set"))
    if flags.after:
        from jobctl.job.spec.job_fields import dependency

        jobs = distinct("--after", flags.after, "the id of a job", "after")
        spec["after"] = [dependency(job) for job in jobs]
    if flags.gpus is not None:
        spec["gpus"] = number_or_word(flags.gpus)
    _retries(spec, flags)
    _callback(spec, flags)
    artifacts = _present(spec, "artifacts", [])
    if not (artifacts or flags.inputs or flags.outputs or flags.writes or flags.reads):
        return Plan(spec)
    from jobctl.transfers.transfer_flags import parse_transfers

    transfers = parse_transfers(artifacts, flags.inputs, flags.outputs, flags.writes, flags.reads)
    if transfers.artifacts:
        spec["artifacts"] = transfers.artifacts
    return Plan(spec, transfers.uploads, transfers.fetches)


def own_user() -> str:
    """Returns the caller's uid and gid, which `--user me` names."""
    return f"{os.getuid()}:{os.getgid()}"


def generated_id(image: str, fresh: str) -> str:
    """Returns an id: the image's base name and `fresh`."""
    base = image.partition("@")[0].rpartition("/")[2].partition(":")[0]
    stem = _NOT_IN_ID.sub("-", base)[:_LONGEST_ID_STEM].strip("-_") or "job"
    return f"{stem}-{fresh}"


def _command(spec: Tree, flags: Flags) -> None:
    if flags.shell is not None and flags.command:
        raise Misuse("--sh and COMMAND contradict each other", field="command")
    if flags.shell is not None and flags.entrypoint is not None:
        raise Misuse("--sh and --entrypoint contradict each other: --sh runs /bin/sh", field="entrypoint")
    if flags.entrypoint is not None:
        spec["entrypoint"] = [flags.entrypoint]
    if flags.shell is not None:
        spec["command"] = flags.shell
        spec.pop("entrypoint", None)
    elif flags.command:
        spec["command"] = list(flags.command)


def _limits(spec: Tree, flags: Flags) -> None:
    cpus = None if flags.cpus is None else str(flags.cpus)
    for name, text in (("memory", flags.memory), ("timeout", flags.timeout), ("cpus", cpus)):
        if text is not None:
            _set_amount(spec, name, text, f"--{name}")


def set_defaults(spec: Tree, defaults: Sequence[Default]) -> None:
    """Sets the workstation's defaults for the fields that the spec does not have.

    Raises:
        Misuse: an applied default is no amount; the message names its variable or file.
    """
    for default in defaults:
        if spec.get(_AMOUNT_FIELDS[default.name]) is None:
            _set_amount(spec, default.name, default.text, default.source)


_AMOUNT_FIELDS = {"memory": "memory", "cpus": "cpu", "timeout": "timeoutSeconds"}


def _set_amount(spec: Tree, name: str, text: str, source: str) -> None:
    from jobctl.units import cores, memory_mb, whole_seconds

    converters: dict[str, Callable[[str], Any]] = {
        "memory": memory_mb,
        "cpus": cores,
        "timeout": whole_seconds,
    }
    field = _AMOUNT_FIELDS[name]
    try:
        spec[field] = converters[name](text)
    except ValueError as error:
        raise Misuse(f"{source}: {error}", field=field) from None


def _callback(spec: Tree, flags: Flags) -> None:
    types = distinct("--callback-events", flags.callback_events, "the type of an event", "callback.events")
    given = {
        "--callback-key-file": ("key", flags.callback_key),
        "--callback-events": ("events", [_event_type(name) for name in types] or None),
        "--callback-batch": ("batch", flags.callback_batch or None),
    }
    fields = {flag: pair for flag, pair in given.items() if pair[1] is not None}
    if flags.callback is None and not fields:
        return
    callback = spec.get("callback")
    callback = dict(callback) if isinstance(callback, dict) else {}
    _set(callback, "url", flags.callback)
    if not callback.get("url"):
        needing = f"{next(iter(fields))} needs --callback URL" if fields else "--callback needs a URL"
        raise Misuse(needing, field="callback.url")
    callback.update(fields.values())
    spec["callback"] = callback


def _event_type(name: str) -> str:
    """Returns the whole type of an event: `orchestrator.job.exit` for `exit`."""
    return name if "." in name else EVENT_PREFIX + name


def _retries(spec: Tree, flags: Flags) -> None:
    _set(spec, "retries", flags.retries)
    causes = distinct("--retry-on", flags.retry_on, "an exit code or a reason", "retryOn")
    if not causes:
        return
    if not spec.get("retries"):
        raise Misuse("--retry-on needs --retries N", field="retries", hint="for instance: --retries 3")
    spec["retryOn"] = [number_or_word(cause) for cause in causes]


def _merge(spec: Tree, key: str, values: dict[str, str]) -> None:
    if not values:
        return
    present = _present(spec, key, {})
    if not isinstance(present, dict):
        raise Misuse(f"{key} must be a mapping", field=key)
    spec[key] = {**present, **values}


def _present(spec: Tree, key: str, absent: object) -> Any:
    """Returns a field's value, or `absent` where it is missing or null, which jobd treats alike."""
    value = spec.get(key)
    return absent if value is None else value


def _set(tree: Tree, key: str, value: object) -> None:
    if value is not None:
        tree[key] = value
