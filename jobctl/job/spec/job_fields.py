"""Converts the fields of a job file to those of the API: amounts with units, and the names of flags. Pure.

`memory: 2g`, `timeout: 2h` and `env:` become `memory`, `timeoutSeconds` and `environment`. Fields in the API's own form are unchanged.
The wire contract checks the result.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from jobctl.job.spec import container_fields
from jobctl.job.spec.plan import ME, own_user
from jobctl.units import memory_mb, whole_seconds
from jobd.wire.flag_names import FLAG_NAMES
from jobd.wire.problem import Problem

Tree = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Fields:
    """The API's fields, the problems of the conversion, and the name that each field has in the file."""

    tree: Tree
    problems: list[Problem] = field(default_factory=list)
    written: dict[str, str] = field(default_factory=dict)

    def in_file(self, path: str) -> str:
        """Returns the file's name of a path: `env.A` for `environment.A`."""
        for name, written in self.written.items():
            if path == name or path.startswith((f"{name}.", f"{name}[")):
                return written + path[len(name) :]
        return path


def spec_fields(tree: Tree) -> Fields:
    """Returns the API's fields for those of a file. A value that cannot be converted is left out and becomes a problem."""
    fields = Fields({})
    for name, value in tree.items():
        spec_name = FLAG_NAMES.get(name, name)
        if spec_name in fields.written:
            fields.problems.append(
                Problem(name, f"is the same field as {fields.written[spec_name]}; give only one of them")
            )
            continue
        fields.written[spec_name] = name
        try:
            convert = _CONVERSIONS.get(spec_name)
            fields.tree[spec_name] = convert(value) if convert else value
        except ValueError as error:
            fields.problems.append(Problem(name, str(error)))
    return fields


def _memory(value: Any) -> Any:
    return memory_mb(value) if isinstance(value, str) else value


def _timeout(value: Any) -> Any:
    return whole_seconds(value) if isinstance(value, str) else value


def _pairs(value: Any) -> Any:
    """Converts a list of NAME=VALUE, as flags take them, to a mapping."""
    if not isinstance(value, list) or not all(isinstance(item, str) and "=" in item for item in value):
        return value
    return dict(item.split("=", 1) for item in value)


def _entrypoint(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _callback(value: Any) -> Any:
    return {"url": value} if isinstance(value, str) else value


def dependency(value: Any) -> Any:
    """Returns the API's form of `ID`, `ID:any` or `ID:failed`."""
    if not isinstance(value, str):
        return value
    job, colon, condition = value.partition(":")
    return {"job": job, "on": condition} if colon else {"job": job}


def _user(value: Any) -> Any:
    return own_user() if value == ME else value


def _listed(of: Callable[[str], Any]) -> Callable[[Any], Any]:
    """Returns the conversion of a list whose entries may be texts, as flags take them."""

    def convert(value: Any) -> Any:
        if not isinstance(value, list):
            return value
        return [of(item) if isinstance(item, str) else item for item in value]

    return convert


def _tmpfs(value: Any) -> Any:
    """Converts a list of PATH[:OPTIONS], as flags take them, to a mapping."""
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        return value
    return {path: options for item in value for path, options in container_fields.tmpfs(item).items()}


def _text_of(of: Callable[[str], Any]) -> Callable[[Any], Any]:
    return lambda value: of(value) if isinstance(value, str) else value


def _dependencies(value: Any) -> Any:
    return [dependency(item) for item in value] if isinstance(value, list) else value


_CONVERSIONS: dict[str, Callable[[Any], Any]] = {
    "memory": _memory,
    "timeoutSeconds": _timeout,
    "environment": _pairs,
    "labels": _pairs,
    "meta": _pairs,
    "entrypoint": _entrypoint,
    "callback": _callback,
    "after": _dependencies,
    "user": _user,
    "stopSignal": _text_of(container_fields.stop_signal),
    "stopTimeoutSeconds": _text_of(container_fields.stop_seconds),
    "shmSize": _text_of(container_fields.shm_mb),
    "tmpfs": _tmpfs,
    "mounts": _listed(container_fields.volume),
    "ports": _listed(container_fields.port),
    "extraHosts": _listed(container_fields.extra_host),
    "ulimits": _listed(container_fields.ulimit),
    "devices": _listed(container_fields.device),
}
