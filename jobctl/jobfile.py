"""A job file: JSON or YAML text to a tree of plain values, and back from a field to the line that it stands on.

Owns reading and its refusals. What the fields mean is the wire contract's business; PyYAML is imported only when needed.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

from jobctl.errors import LocalFile, Misuse

Tree = dict[str, Any]

LONGEST_BYTES = 4 << 20
MOST_VALUES = 100_000
_STEP = re.compile(r"\[(\d+)\]|([^.\[\]]+)")


def read(source: str) -> str:
    """Returns the text of a job file; `-` is standard input.

    Raises:
        LocalFile: it cannot be read, is not UTF-8, or is over 4 MiB.
    """
    try:
        if source == "-":
            raw = sys.stdin.buffer.read(LONGEST_BYTES + 1)
        else:
            with Path(source).open("rb") as file:
                raw = file.read(LONGEST_BYTES + 1)
    except OSError as error:
        raise LocalFile(f"the job file {source} cannot be read: {error.strerror}") from None
    if len(raw) > LONGEST_BYTES:
        raise LocalFile(f"the job file {source} is over {LONGEST_BYTES >> 20} MiB")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise LocalFile(f"{source}:{line}: the job file is not UTF-8 text") from None


def parse(text: str, source: str) -> Tree:
    """Returns the fields of a job file. `source` names it in errors.

    Raises:
        Misuse: it is neither JSON nor YAML, says a name twice, or is not one mapping.
    """
    tree = _parse_json(text, source) if text.lstrip()[:1] in ("{", "[") else None
    if tree is None:
        tree = _parse_yaml(text, source)
    if not isinstance(tree, dict):
        hint = "start it with fields such as 'image: busybox'"
        raise Misuse(f"{source}: a job file is one mapping of fields, not {_kind(tree)}", hint=hint)
    _check_values(tree, source)
    return tree


def line_of(text: str, field: str) -> int | None:
    """Returns the line, from 1, on which a field such as `artifacts[0].out` stands, or the nearest part of it that
    exists; None where the text cannot tell.
    """
    import yaml

    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError):
        return None
    if node is None:
        return None
    line: int | None = None
    for match in _STEP.finditer(field):
        found = _child(yaml, node, match)
        if found is None:
            break
        node, line = found
    return line


def _child(yaml: Any, node: Any, step: re.Match[str]) -> tuple[Any, int] | None:
    if isinstance(node, yaml.MappingNode) and step[2] is not None:
        for key, value in node.value:
            if key.value == step[2]:
                return value, key.start_mark.line + 1
    if isinstance(node, yaml.SequenceNode) and step[1] is not None and int(step[1]) < len(node.value):
        value = node.value[int(step[1])]
        return value, value.start_mark.line + 1
    return None


def _parse_json(text: str, source: str) -> Any:
    """None: not JSON, so it may be YAML in braces."""

    def unique(pairs: list[tuple[str, Any]]) -> Tree:
        tree = dict(pairs)
        if len(tree) != len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            raise Misuse(f"{source}: {twice!r} is there twice", field=twice)
        return tree

    try:
        return json.loads(text, object_pairs_hook=unique)
    except RecursionError:
        raise Misuse(f"{source}: nested too deeply") from None
    except ValueError as error:
        if source.endswith(".json") and isinstance(error, json.JSONDecodeError):
            raise Misuse(f"{source}:{error.lineno}: not JSON: {error.msg}") from None
        return None


def _parse_yaml(text: str, source: str) -> Any:
    import yaml

    class Loader(yaml.SafeLoader):
        """YAML with what surprises in a job file left out: dates stay text, a name may stand once."""

    Loader.yaml_implicit_resolvers = {
        first: [pair for pair in pairs if pair[0] != "tag:yaml.org,2002:timestamp"]
        for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def mapping(loader: Any, node: Any) -> Tree:
        loader.flatten_mapping(node)
        tree: Tree = {}
        for key_node, value_node in node.value:
            key = loader.construct_object(key_node, deep=True)
            at = key_node.start_mark.line + 1
            if not isinstance(key, str):
                raise Misuse(f"{source}:{at}: the name {key_node.value!r} must be text; put it in quotes")
            if key in tree:
                raise Misuse(f"{source}:{at}: {key!r} is there twice", field=key)
            tree[key] = loader.construct_object(value_node, deep=True)
        return tree

    Loader.add_constructor("tag:yaml.org,2002:map", mapping)
    try:
        return yaml.load(text, Loader=Loader)  # noqa: S506 - a SafeLoader with fewer types
    except yaml.MarkedYAMLError as error:
        at = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        raise Misuse(f"{source}{at}: not YAML: {error.problem or error.context}") from None
    except (yaml.YAMLError, ValueError) as error:
        raise Misuse(f"{source}: not YAML: {str(error).splitlines()[0]}") from None
    except RecursionError:
        raise Misuse(f"{source}: nested too deeply") from None


def _check_values(tree: Tree, source: str) -> None:
    """Bounds what aliases can blow up, and refuses what JSON cannot say."""
    count = 0
    todo: list[tuple[str, Any]] = [("", tree)]
    while todo:
        field, value = todo.pop()
        count += 1
        if count > MOST_VALUES:
            raise Misuse(f"{source}: the job file holds more than {MOST_VALUES} values")
        if isinstance(value, dict):
            todo.extend((f"{field}.{name}" if field else str(name), item) for name, item in value.items())
        elif isinstance(value, list):
            todo.extend((f"{field}[{index}]", item) for index, item in enumerate(value))
        elif value is not None and not isinstance(value, str | int | float | bool):
            raise Misuse(f"{source}: {field or 'it'} is {_kind(value)}, which a job cannot have", field=field)


def _kind(value: object) -> str:
    if value is None:
        return "nothing"
    names: dict[type, str] = {list: "a list", str: "text", dict: "a mapping", set: "a set", bytes: "binary"}
    return names.get(type(value), "a number")
