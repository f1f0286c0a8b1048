"""All that is wrong with a spec, and not the first thing alone.

Pure. The contract's own decoder says what is wrong; what it names is put right in a copy, and the decoder is asked again. Values are
checked at the end, as the daemon does.
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
_MAPS = ("environment", "labels", "meta", "secrets")
_NEEDED = {"": ("id", "image"), "artifacts": ("id", "in", "out"), "callback": ("url",)}
"""Fields without which what is around them is not looked at."""
_FOR_MISSING = {"image": "busybox", "id": "id", "url": "http://x/"}
_FOR_ELEMENT = {"retryOn": 1, "capDrop": "CHOWN", "capAdd": "CHOWN", "events": "orchestrator.job.exit"}


def spec_problems(spec: Tree) -> list[Problem]:
    """Returns everything that is wrong with a spec, at most `MOST_PROBLEMS` of its types and names. `spec` stays as it is."""
    tree = copy.deepcopy(spec)
    found = list(_map_problems(tree))
    unknown: set[str] = {problem.field for problem in found}
    while len(found) < MOST_PROBLEMS:
        try:
            decoded = decoded_tree(tree)
        except InvalidSpec as error:
            problem = error.problems[0]
            found.append(problem)
            hidden = _put_right(tree, problem.field, len(found))
            if hidden is None or problem.field in unknown:
                return found
            unknown |= hidden
            continue
        found += [each for each in problems(decoded) if not _is_below(each.field, unknown)]
        break
    return found


def _is_below(field: str, fields: set[str]) -> bool:
    return any(field == each or field.startswith((f"{each}.", f"{each}[")) for each in fields)


def _map_problems(tree: Tree) -> list[Problem]:
    """The decoder does not say which entry of a map is no text."""
    found = []
    for name in _MAPS:
        values = tree.get(name)
        if not isinstance(values, dict):
            continue
        for key, value in list(values.items()):
            if value is not None and not isinstance(value, str):
                found.append(Problem(f"{name}.{key}", "must be text; put it in quotes"))
                del values[key]
    return found


def _put_right(tree: Tree, field: str, number: int) -> set[str] | None:
    """Puts something valid where `field` is wrong, or takes it out. Returns the fields of which nothing is known then; None: it
    cannot be put right.
    """
    steps = [int(step[1]) if step[1] is not None else step[2] for step in _STEP.finditer(field)]
    if not steps:
        return None
    around: Any = tree
    for step in steps[:-1]:
        try:
            around = around[step]
        except (KeyError, IndexError, TypeError):
            return None
    last = steps[-1]
    in_artifact = len(steps) > 1 and steps[0] == "artifacts"
    if isinstance(last, int):
        if not isinstance(around, list) or last >= len(around):
            return None
        around[last] = _artifact(number) if in_artifact else _FOR_ELEMENT.get(str(steps[-2]), "x")
        return {field}
    if not isinstance(around, dict):
        return None
    if in_artifact and last == "type":
        kept = {"id": around["id"]} if "id" in around else {}
        around.clear()
        around.update({name: value for name, value in _artifact(number).items() if name != "id"} | kept)
        path = field.rpartition(".")[0]
        return {f"{path}.{name}" for name in ("type", "in", "out", "depends")}
    needed = _NEEDED.get("" if len(steps) == 1 else str(steps[0]), ())
    if last in around and last not in needed:
        del around[last]
    else:
        around[last] = f"{_FOR_MISSING['id']}-{number}" if last == "id" else _FOR_MISSING.get(str(last), "x")
    return {field}


def _artifact(number: int) -> Tree:
    return {"id": f"{_FOR_MISSING['id']}-{number}", "type": "read", "in": "x", "depends": JOB}
