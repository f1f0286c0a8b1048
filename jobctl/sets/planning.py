"""Plans the jobs of a set: for a sweep one job for each combination of values. Pure, as `job/spec/plan.py`.

A job's id comes from the set's id and the job's place, so that a repeated command submits the same jobs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobctl.errors import Misuse
from jobctl.job.spec.plan import Flags, Plan, Tree, generated_id, plan
from jobctl.sets.placeholders import mapped, names_in, replaced, texts_in
from jobctl.sets.values import RESERVED, Axis, product
from jobctl.value import Value
from jobd.wire.validation.limits import MAX_GROUP
from jobd.wire.validation.names import group_problem

if TYPE_CHECKING:
    from jobctl.connection.config import Default

_LITERAL_FLAGS = frozenset({"name", "set", "secrets", "env_files", "callback_key"})
_LITERAL_FIELDS = frozenset({"secrets", "set", "id"})
_NUMBERS = frozenset(
    {
        "cpu",
        "cpus",
        "memory",
        "timeout",
        "timeoutSeconds",
        "pids",
        "pids-limit",
        "retries",
        "priority",
        "gpus",
        "shmSize",
        "shm-size",
        "stopTimeoutSeconds",
        "stop-timeout",
    }
)
"""The fields of a file that are numbers: a text that is one placeholder becomes a number there."""


class PlannedJob(Value):
    """One job of a set. `values`: those of its placeholders."""

    plan: Plan
    values: Mapping[str, str]

    @property
    def id(self) -> str:
        """The job's id."""
        return str(self.plan.spec["id"])


class SetPlan(Value):
    """The jobs of a set in the order of their submission: each comes after those that it waits for."""

    id: str
    jobs: tuple[PlannedJob, ...]


class Surroundings(Value):
    """What a plan takes from the user's surroundings: variables, random characters, and the workstation's defaults."""

    environ: Mapping[str, str]
    fresh: str
    defaults: Sequence[Default] = ()


def set_id(given: object, image: object, fresh: str) -> str:
    """Returns the set's id: the given one, or one from the image's name. Raises Misuse: it is no id of a set."""
    if given is None or given == "":
        return generated_id(image if isinstance(image, str) and image else "set", fresh)[:MAX_GROUP]
    if not isinstance(given, str):
        raise Misuse("set must be text; put it in quotes", field="set")
    if why := group_problem(given):
        raise Misuse(f"the set's id {why}", field="set")
    return given


def job_id(set_name: str, name: str = "", index: int | None = None) -> str:
    """Returns the id of a job of a set: a set's id may have dots, a job's may not."""
    parts = [set_name.replace(".", "-"), name, "" if index is None else str(index)]
    return "-".join(part for part in parts if part)


def plan_sweep(flags: Flags, tree: Tree, axes: Sequence[Axis], surroundings: Surroundings) -> SetPlan:
    """Returns the jobs of a sweep: `flags` and the fields of the job file, `tree`, for each combination of values.

    Raises:
        Misuse: a placeholder has no value, a name is not used, or a plan is invalid.
    """
    if not axes:
        raise Misuse(
            "a sweep needs values", hint="for instance: --each lr=0.1,0.01, then {lr} in the command"
        )
    check_use(_flag_texts(flags), tree, axes)
    image = flags.image if flags.image is not None else tree.get("image")
    name = set_id(flags.set if flags.set is not None else tree.get("set"), image, surroundings.fresh)
    jobs = []
    for index, chosen in enumerate(product(axes), start=1):
        values = {**chosen, "set": name, "index": str(index)}
        named = with_fields(filled_flags(flags, values), name=job_id(name, index=index), set=name)
        jobs.append(PlannedJob(planned(named, filled_tree(tree, values), surroundings), chosen))
    return SetPlan(name, tuple(jobs))


def planned(flags: Flags, tree: Tree, surroundings: Surroundings) -> Plan:
    """Returns the plan of one job from the fields of a file as written. Raises Misuse."""
    from jobctl.job.spec.job_fields import spec_fields

    fields = spec_fields(tree)
    if fields.problems:
        raise Misuse(fields.problems[0].message, field=fields.problems[0].field)
    return plan(flags, fields.tree, surroundings.environ, surroundings.fresh, surroundings.defaults)


def check_use(texts: Sequence[str], tree: Tree, axes: Sequence[Axis]) -> None:
    """Raises Misuse: a placeholder is unknown, or an axis is not used."""
    known = [one.name for one in axes]
    used = names_in([*texts, *texts_in(_filled_part(tree))])
    for unknown in sorted(used - {*known, *RESERVED}):
        raise unknown_placeholder(unknown, known)
    for one in axes:
        if one.name not in used:
            raise Misuse(f"{one.flag} is not used: nothing has the placeholder {{{one.name}}}")


def unknown_placeholder(name: str, known: Sequence[str]) -> Misuse:
    """Returns the error of a placeholder without a value."""
    names = ", ".join(f"{{{one}}}" for one in (*known, *RESERVED))
    return Misuse(
        f"the placeholder {{{name}}} has no value; there are {names}",
        hint=f"write {{{{{name}}}}} for the text {{{name}}}",
    )


def filled_flags(flags: Flags, values: Mapping[str, str]) -> Flags:
    """Returns the flags with values in place of placeholders."""
    changed: dict[str, Any] = {}
    for name in Flags._fields:
        value = getattr(flags, name)
        if name in _LITERAL_FLAGS:
            continue
        if isinstance(value, str):
            changed[name] = replaced(value, values)
        elif isinstance(value, list | tuple):
            changed[name] = [replaced(text, values) for text in value]
    return with_fields(flags, **changed)


def filled_tree(tree: Tree, values: Mapping[str, str]) -> Tree:
    """Returns the fields of a file with values in place of placeholders. A field that is a number becomes one."""
    found: Tree = {}
    for name, value in _filled_part(tree).items():
        filled = mapped(value, lambda text: replaced(text, values))
        found[name] = _number(filled) if name in _NUMBERS and filled != value else filled
    if isinstance(callback := tree.get("callback"), dict) and "key" in callback:
        found["callback"]["key"] = callback["key"]
    return {name: found.get(name, value) for name, value in tree.items()}


def _filled_part(tree: Tree) -> Tree:
    """Returns the fields in which placeholders count."""
    found = {name: value for name, value in tree.items() if name not in _LITERAL_FIELDS}
    if isinstance(callback := found.get("callback"), dict):
        found["callback"] = {name: value for name, value in callback.items() if name != "key"}
    return found


def with_fields(flags: Flags, **fields: Any) -> Flags:
    """Returns the flags with other values of some fields."""
    return Flags(**{**{name: getattr(flags, name) for name in Flags._fields}, **fields})


def check_destinations(jobs: Sequence[PlannedJob]) -> None:
    """Raises Misuse: two jobs would write the same file or folder of this machine, or one would write to standard output."""
    seen: dict[str, str] = {}
    for job in jobs:
        for transfer in job.plan.fetches:
            if transfer.local == "-":
                raise Misuse(
                    "an output of a set's job cannot go to stdout",
                    hint="name a file with a placeholder: --out result.csv=result-{index}.csv",
                )
            place = str(Path(transfer.local).absolute())
            if transfer.local.rpartition("/")[2] in ("", ".", ".."):
                place = f"{place}/{transfer.path.rstrip('/').rpartition('/')[2]}"
            if place in seen and seen[place] != job.id:
                raise Misuse(
                    f"--out {transfer.path}={transfer.local}: {seen[place]} and {job.id} would both write {place}",
                    hint="use a placeholder, for instance {index}, in the name of the destination",
                )
            seen[place] = job.id


def _flag_texts(flags: Flags) -> list[str]:
    texts: list[str] = []
    for name in Flags._fields:
        value = getattr(flags, name)
        if name not in _LITERAL_FLAGS and isinstance(value, str | list | tuple):
            texts += [value] if isinstance(value, str) else value
    return texts


def _number(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        number = float(value)
    except ValueError:
        return value
    return int(value) if value.lstrip("-").isdecimal() else number
