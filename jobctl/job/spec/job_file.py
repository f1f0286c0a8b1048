"""Reads a job file, JSON or YAML, and finds the line of a field. Imports PyYAML only when needed."""

import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobctl.errors import LocalFile, Misuse

Tree = dict[str, Any]

LONGEST_BYTES = 4 << 20
MOST_VALUES = 100_000
MERGE = "tag:yaml.org,2002:merge"
TEXT = ("tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:value")
"""Types of YAML that are plain text in a job file: dates, and the sign "="."""
_STEP = re.compile(r"\[(\d+)\]|([^.\[\]]+)")
_WHOLE = re.compile(r"(\Z.)?(.+)", re.DOTALL)


def read(source: str) -> str:
    """Returns the text of a job file; `-` is standard input.

    Raises:
        LocalFile: the file cannot be read, is not UTF-8, or is larger than 4 MiB.
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
        raise LocalFile(f"the job file {source} is larger than {LONGEST_BYTES >> 20} MiB")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise LocalFile(f"{source}:{line}: the job file is not UTF-8 text") from None


def parse(text: str, source: str, repeated: list[str] | None = None) -> Tree:
    """Returns the fields of a job file. `source`: the file's name for errors. `repeated`: collects the names that are given twice, whose
    last value then counts.

    Raises:
        Misuse: the text is neither JSON nor YAML, gives a name twice (without `repeated`), or is no mapping.
    """
    tree = _parse_json(text, source, repeated) if text.lstrip()[:1] in ("{", "[") else None
    if tree is None:
        tree = _parse_yaml(text, source, repeated)
    if not isinstance(tree, dict):
        hint = "start it with fields such as 'image: busybox'"
        raise Misuse(f"{source}: a job file must be a mapping of fields, not {_kind(tree)}", hint=hint)
    _check_values(tree, source)
    return tree


@dataclass(frozen=True, slots=True)
class Position:
    """A line and column, both from 1."""

    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.line}:{self.column}"


class Positions:
    """The positions of the fields of a text. Empty where the text is no YAML."""

    def __init__(self, text: str) -> None:
        import yaml

        self._yaml: Any = yaml
        try:
            self._root: Any = yaml.compose(text, Loader=yaml.SafeLoader)
        except (yaml.YAMLError, RecursionError, ValueError):
            self._root = None

    def position_of(self, field: str) -> Position | None:
        """Returns the position of a field such as `artifacts[0].out`, or of its nearest existing parent; None: unknown."""
        node, position = self._root, None
        for step in _STEP.finditer(field):
            child = self._child(node, step)
            if child is None:
                # a name may contain dots: try the rest of the path as one name
                child = self._child(node, _WHOLE.match(field, step.start()))
                return position if child is None else child[1]
            node, position = child
        return position

    def repeated(self) -> list[tuple[str, Position]]:
        """Returns the names that a mapping gives again, each with the position of the repetition."""
        repetitions: list[tuple[str, Position]] = []
        todo, seen = [self._root], set()
        while todo:
            node = todo.pop()
            if id(node) in seen:
                continue
            seen.add(id(node))
            if isinstance(node, self._yaml.SequenceNode):
                todo += node.value
            elif isinstance(node, self._yaml.MappingNode):
                names: set[str] = set()
                for key, value in node.value:
                    todo.append(value)
                    if isinstance(key, self._yaml.ScalarNode):
                        if key.value in names:
                            repetitions.append((key.value, _position(key)))
                        names.add(key.value)
        return repetitions

    def _child(self, node: Any, step: "re.Match[str] | None") -> tuple[Any, Position] | None:
        if step is None:
            return None
        if isinstance(node, self._yaml.MappingNode) and step[2] is not None:
            for key, value in node.value:
                if key.value == step[2]:
                    return value, _position(key)
        if (
            isinstance(node, self._yaml.SequenceNode)
            and step[1] is not None
            and int(step[1]) < len(node.value)
        ):
            value = node.value[int(step[1])]
            return value, _position(value)
        return None


def _position(node: Any) -> Position:
    return Position(node.start_mark.line + 1, node.start_mark.column + 1)


def _parse_json(text: str, source: str, repeated: list[str] | None) -> Any:
    """Returns None for text that is no JSON; it may be YAML in braces."""

    def unique(pairs: list[tuple[str, Any]]) -> Tree:
        tree = dict(pairs)
        if len(tree) != len(pairs):
            names = [name for name, _ in pairs]
            first = next(name for name in names if names.count(name) > 1)
            if repeated is None:
                raise Misuse(f"{source}: {first!r} is given twice", field=first)
            repeated.append(first)
        return tree

    try:
        return json.loads(text, object_pairs_hook=unique)
    except RecursionError:
        raise Misuse(f"{source}: nested too deeply") from None
    except ValueError as error:
        if source.endswith(".json") and isinstance(error, json.JSONDecodeError):
            raise Misuse(f"{source}:{error.lineno}:{error.colno}: not JSON: {error.msg}") from None
        return None


def _parse_yaml(text: str, source: str, repeated: list[str] | None) -> Any:
    import yaml

    class Loader(yaml.SafeLoader):
        """YAML without surprises for a job file: dates stay text, and a repeated name is an error."""

        def flatten_mapping(self, node: Any) -> None:
            """Puts the names of `<<` before the mapping's own ones, without those that the mapping or an earlier `<<` gives.

            PyYAML's own method gives a name to the first or to the last mapping of a list, depending on its version.
            """
            if id(node) in flat:
                return
            flat[id(node)] = node
            own = [pair for pair in node.value if pair[0].tag != MERGE]
            given = {str(key.value) for key, _ in own}
            merged = []
            for merge in (value for key, value in node.value if key.tag == MERGE):
                for source_node in merge.value if isinstance(merge, yaml.SequenceNode) else [merge]:
                    if not isinstance(source_node, yaml.MappingNode):
                        problem = (
                            f"expected a mapping or a list of mappings after <<, but found a {source_node.id}"
                        )
                        raise yaml.constructor.ConstructorError(None, None, problem, source_node.start_mark)
                    self.flatten_mapping(source_node)
                    new = [pair for pair in source_node.value if str(pair[0].value) not in given]
                    given.update(str(key.value) for key, _ in new)
                    merged += new
            node.value = merged + own

    flat: dict[int, Any] = {}
    Loader.yaml_implicit_resolvers = {
        first: [pair for pair in pairs if pair[0] not in TEXT]
        for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def mapping(loader: Any, node: Any) -> Tree:
        loader.flatten_mapping(node)
        tree: Tree = {}
        for key_node, value_node in node.value:
            key = loader.construct_object(key_node, deep=True)
            at = _position(key_node)
            if not isinstance(key, str):
                raise Misuse(f"{source}:{at}: the name {key_node.value!r} must be text; put it in quotes")
            if key in tree:
                if repeated is None:
                    raise Misuse(f"{source}:{at}: {key!r} is given twice", field=key)
                repeated.append(key)
            tree[key] = loader.construct_object(value_node, deep=True)
        return tree

    Loader.add_constructor("tag:yaml.org,2002:map", mapping)
    try:
        return yaml.load(text, Loader=Loader)  # noqa: S506 - a SafeLoader with fewer types
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        at = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        raise Misuse(f"{source}{at}: not YAML: {error.problem or error.context}") from None
    except (yaml.YAMLError, ValueError) as error:
        raise Misuse(f"{source}: not YAML: {str(error).splitlines()[0]}") from None
    except RecursionError:
        raise Misuse(f"{source}: nested too deeply") from None


def _check_values(tree: Tree, source: str) -> None:
    """Bounds the number of values, which aliases can multiply, and refuses values that JSON does not have."""
    count = 0
    todo: list[tuple[str, Any]] = [("", tree)]
    while todo:
        field, value = todo.pop()
        count += 1
        if count > MOST_VALUES:
            raise Misuse(f"{source}: the job file has more than {MOST_VALUES} values")
        if isinstance(value, dict):
            todo.extend((f"{field}.{name}" if field else str(name), item) for name, item in value.items())
        elif isinstance(value, list):
            todo.extend((f"{field}[{index}]", item) for index, item in enumerate(value))
        elif value is not None and not isinstance(value, str | int | float | bool):
            raise Misuse(
                f"{source}: {field or 'the file'} is {_kind(value)}, which a job file cannot contain",
                field=field,
            )


def _kind(value: object) -> str:
    if value is None:
        return "nothing"
    names: dict[type, str] = {list: "a list", str: "text", dict: "a mapping", set: "a set", bytes: "binary"}
    return names.get(type(value), "a number")
