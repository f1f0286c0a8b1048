"""Finds all problems of a spec, not only the first one. Pure.

The contract's decoder reports one problem at a time: each is repaired in a copy, and the copy is decoded again. The values are checked
at the end, as the daemon does.
"""

import copy
import re
from typing import Any

from jobd.wire.artifact import JOB
from jobd.wire.problem import InvalidSpec, Problem
from jobd.wire.validation.job_spec import decoded_tree, problems

Tree = dict[str, Any]

MOST_PROBLEMS = 100
_STEP = re.compile(r"\[(\d+)\]|([^.\[\]]+)")
_MAPS = ("environment", "labels", "meta", "secrets", "tmpfs")
_REQUIRED = {
    "": ("id", "image"),
    "artifacts": ("id", "in", "out"),
    "callback": ("url",),
    "mounts": ("source", "target"),
    "ports": ("containerPort", "hostPort"),
    "ulimits": ("name", "soft", "hard"),
    "devices": ("source", "target"),
}
"""Required fields: without them the decoder does not check the object around them."""
_FOR_MISSING: Tree = {
    "image": "busybox",
    "id": "id",
    "url": "http://x/",
    "containerPort": 80,
    "hostPort": 8080,
    "soft": 1,
    "hard": 1,
}
_FOR_ELEMENT: Tree = {
    "retryOn": 1,
    "capDrop": "CHOWN",
    "capAdd": "CHOWN",
    "events": "orchestrator.job.exit",
    "mounts": {"source": "/x", "target": "/x"},
    "ports": {"containerPort": 80, "hostPort": 8080},
    "ulimits": {"name": "core", "soft": 1, "hard": 1},
    "devices": {"source": "/dev/x", "target": "/dev/x"},
}


def spec_problems(spec: Tree) -> list[Problem]:
    """Returns all problems of a spec, at most `MOST_PROBLEMS` of its types and names. Does not change `spec`."""
    tree = copy.deepcopy(spec)
    result = list(_map_problems(tree))
    unknown: set[str] = {problem.field for problem in result}
    while len(result) < MOST_PROBLEMS:
        try:
            decoded = decoded_tree(tree)
        except InvalidSpec as error:
            problem = error.problems[0]
            result.append(problem)
            hidden = _repair(tree, problem.field, len(result))
            if hidden is None or problem.field in unknown:
                return result
            unknown |= hidden
            continue
        result += [each for each in problems(decoded) if not _is_below(each.field, unknown)]
        break
    return result


def _is_below(field: str, fields: set[str]) -> bool:
    return any(field == each or field.startswith((f"{each}.", f"{each}[")) for each in fields)


def _map_problems(tree: Tree) -> list[Problem]:
    """Finds the entries of maps that are no text: the decoder does not name them."""
    result = []
    for name in _MAPS:
        values = tree.get(name)
        if not isinstance(values, dict):
            continue
        for key, value in list(values.items()):
            if value is not None and not isinstance(value, str):
                result.append(Problem(f"{name}.{key}", "must be text; put it in quotes"))
                del values[key]
    return result


def _repair(tree: Tree, field: str, number: int) -> set[str] | None:
    """Replaces the invalid `field` by a valid value, or removes it. Returns the fields that are unchecked after that; None: the field
    cannot be repaired.
    """
    steps = [int(step[1]) if step[1] is not None else step[2] for step in _STEP.finditer(field)]
    if not steps:
        return None
    parent: Any = tree
    for step in steps[:-1]:
        try:
            parent = parent[step]
        except (KeyError, IndexError, TypeError):
            return None
    last = steps[-1]
    in_artifact = len(steps) > 1 and steps[0] == "artifacts"
    if isinstance(last, int):
        if not isinstance(parent, list) or last >= len(parent):
            return None
        parent[last] = (
            _artifact(number) if in_artifact else copy.deepcopy(_FOR_ELEMENT.get(str(steps[-2]), "x"))
        )
        return {field}
    if not isinstance(parent, dict):
        return None
    if in_artifact and last == "type":
        kept = {"id": parent["id"]} if "id" in parent else {}
        parent.clear()
        parent.update({name: value for name, value in _artifact(number).items() if name != "id"} | kept)
        path = field.rpartition(".")[0]
        return {f"{path}.{name}" for name in ("type", "in", "out", "depends")}
    required = _REQUIRED.get("" if len(steps) == 1 else str(steps[0]), ())
    if last in parent and last not in required:
        del parent[last]
    else:
        parent[last] = f"{_FOR_MISSING['id']}-{number}" if last == "id" else _FOR_MISSING.get(str(last), "x")
    return {field}


def _artifact(number: int) -> Tree:
    return {"id": f"{_FOR_MISSING['id']}-{number}", "type": "read", "in": "x", "depends": JOB}
