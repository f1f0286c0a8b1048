"""The fields of a job file as people write them: units for amounts, and the names that the flags have.

Pure. `memory: 2g`, `timeout: 2h`, `env:` become `memory`, `timeoutSeconds` and `environment` as the API takes them; what a file says in
the API's own form stays as it is. What a spec may hold beyond that is the wire contract's business.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from jobctl.job.units import memory_mb, whole_seconds
from jobd.wire.flag_names import FLAG_NAMES
from jobd.wire.problem import Problem

Tree = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Fields:
    """A spec's fields, what is wrong in the way that they are written, and the name that each has in the file."""

    tree: Tree
    problems: list[Problem] = field(default_factory=list)
    written: dict[str, str] = field(default_factory=dict)

    def in_file(self, path: str) -> str:
        """Returns a path such as `environment.A` as the file has it: `env.A`."""
        for name, written in self.written.items():
            if path == name or path.startswith((f"{name}.", f"{name}[")):
                return written + path[len(name) :]
        return path


def spec_fields(tree: Tree) -> Fields:
    """Returns the fields of the API for those of a file. What cannot be converted is left out and is a problem."""
    made = Fields({})
    for name, value in tree.items():
        spec_name = FLAG_NAMES.get(name, name)
        if spec_name in made.written:
            made.problems.append(Problem(name, f"is the same as {made.written[spec_name]}; say one of them"))
            continue
        made.written[spec_name] = name
        try:
            convert = _CONVERSIONS.get(spec_name)
            made.tree[spec_name] = convert(value) if convert else value
        except ValueError as error:
            made.problems.append(Problem(name, str(error)))
    return made


def _memory(value: Any) -> Any:
    return memory_mb(value) if isinstance(value, str) else value


def _timeout(value: Any) -> Any:
    return whole_seconds(value) if isinstance(value, str) else value


def _pairs(value: Any) -> Any:
    """A list of NAME=VALUE, as the flags have them."""
    if not isinstance(value, list) or not all(isinstance(item, str) and "=" in item for item in value):
        return value
    return dict(item.split("=", 1) for item in value)


def _entrypoint(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _callback(value: Any) -> Any:
    return {"url": value} if isinstance(value, str) else value


_CONVERSIONS: dict[str, Callable[[Any], Any]] = {
    "memory": _memory,
    "timeoutSeconds": _timeout,
    "environment": _pairs,
    "labels": _pairs,
    "meta": _pairs,
    "entrypoint": _entrypoint,
    "callback": _callback,
}
