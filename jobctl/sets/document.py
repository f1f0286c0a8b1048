"""A job file with several jobs: `jobs:` by name, `after` between the names, and `matrix`. Pure.

Finds all problems of the file, each with its field, and puts the jobs into an order in which every job comes after those that it waits
for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from jobctl.errors import Misuse
from jobctl.job.spec.plan import Tree
from jobctl.sets.planning import check_use, job_id, set_id
from jobctl.sets.values import MOST_JOBS, Axis, axis, product, values_of
from jobctl.value import Value
from jobd.wire.problem import Problem

LONGEST_NAME = 40
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_-]*\Z")
_OWN_FIELDS = ("id", "set")


class Entry(Value):
    """One job of the file. `path`: its field, empty for a file that is one job with a matrix; `tree`: its fields without `matrix`, and
    without `after` where that names jobs of the file; `choices`: the values of each job that comes of it, one without values where the
    entry has no matrix; `after`: the names and conditions of the jobs that it waits for; `sources`: the jobs of the file whose files it
    takes, by the numbers of its artifacts.
    """

    name: str
    path: str
    tree: Tree
    choices: tuple[dict[str, str], ...] = ({},)
    has_matrix: bool = False
    after: tuple[tuple[str, str], ...] = ()
    sources: tuple[tuple[int, str], ...] = ()

    @property
    def earlier(self) -> list[str]:
        """The names of the jobs that are submitted before this one."""
        return [*(name for name, _ in self.after), *(name for _, name in self.sources)]


class Document(Value):
    """The jobs of a file in the order of their submission. `set`: the file's own id for the set."""

    set: object
    entries: tuple[Entry, ...]
    problems: tuple[Problem, ...]


def has_several(tree: Tree) -> bool:
    """Returns whether the fields of a file are those of several jobs."""
    return "jobs" in tree or "matrix" in tree


def read_document(tree: Tree) -> Document:
    """Returns the jobs of a file, and its problems. With problems, the entries are those that could be read."""
    problems = list(_set_problems(tree.get("set")))
    if "jobs" not in tree:
        entry, found = _entry("", "", tree)
        return Document(tree.get("set"), (entry,), (*problems, *found))
    problems += [
        Problem(name, "is a field of one job; beside jobs there are only set and names that begin with x-")
        for name in tree
        if name not in ("jobs", "set") and not name.startswith("x-")
    ]
    jobs = tree["jobs"]
    if not isinstance(jobs, dict) or not jobs:
        problems.append(Problem("jobs", "must be a mapping of names to jobs"))
        return Document(tree.get("set"), (), tuple(problems))
    entries: list[Entry] = []
    for name, fields in jobs.items():
        path = f"jobs.{name}"
        if not _NAME.match(name) or len(name) > LONGEST_NAME:
            problems.append(
                Problem(path, f"a job's name must have 1 to {LONGEST_NAME} letters, digits, '-' and '_'")
            )
        if not isinstance(fields, dict):
            problems.append(Problem(path, "must be a mapping of fields"))
            continue
        entry, found = _entry(name, path, fields, jobs)
        entries.append(entry)
        problems += found
    if sum(len(entry.choices) for entry in entries) > MOST_JOBS:
        problems.append(Problem("jobs", f"must be at most {MOST_JOBS} jobs"))
    problems += _unknown(entries, list(jobs))
    problems += _same_ids(entries)
    ordered, circle = _ordered(entries)
    if circle:
        waits = next(entry for entry in entries if entry.name == circle[0])
        where = f"{waits.path}.after" if waits.after else f"{waits.path}.artifacts"
        problems.append(Problem(where, f"the jobs wait for each other: {' -> '.join(circle)}"))
    return Document(tree.get("set"), tuple(ordered or entries), tuple(problems))


def ids_of(entry: Entry, set_name: str) -> Iterator[str]:
    """Yields the ids of an entry's jobs."""
    for index in range(1, len(entry.choices) + 1):
        yield job_id(set_name, entry.name, index if entry.has_matrix else None)


def _set_problems(name: object) -> Iterator[Problem]:
    try:
        set_id(name, None, "")
    except Misuse as error:
        yield Problem("set", error.message)


def _entry(name: str, path: str, fields: Tree, jobs: Tree | None = None) -> tuple[Entry, list[Problem]]:
    prefix = f"{path}." if path else ""
    tree = {key: value for key, value in fields.items() if key != "matrix"}
    problems = []
    after: list[tuple[str, str]] = []
    if path:
        problems += [
            Problem(
                f"{prefix}{own}",
                "is not a field of a job of several: its id comes from the set's id and its name",
            )
            for own in _OWN_FIELDS
            if own in tree
        ]
        after, found = _after(tree.pop("after", None), f"{prefix}after")
        problems += found
    sources = tuple(_sources(tree.get("artifacts"), jobs or {}))
    problems += _source_problems(name, sources, f"{prefix}artifacts", jobs or {})
    if "matrix" not in fields:
        return Entry(name, path, tree, after=tuple(after), sources=sources), problems
    choices: list[dict[str, str]] = [{}]
    try:
        axes = list(_axes(fields["matrix"]))
        choices = product(axes)
        check_use([], tree, axes)
    except Misuse as error:
        problems.append(Problem(f"{prefix}{error.field or 'matrix'}", error.message))
    return Entry(name, path, tree, tuple(choices), True, tuple(after), sources), problems


def _axes(matrix: object) -> Iterator[Axis]:
    if not isinstance(matrix, dict) or not matrix:
        raise Misuse("must be a mapping of names to values, for instance lr: [0.1, 0.01]", field="matrix")
    for name, values in matrix.items():
        field = f"matrix.{name}"
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            raise Misuse("a name must have letters, digits and '_', and not begin with a digit", field=field)
        if isinstance(values, str):
            texts = tuple(values_of(values, field))
        elif isinstance(values, list) and values:
            texts = tuple(_text(value, f"{field}[{index}]") for index, value in enumerate(values))
        else:
            raise Misuse("must be a list of values, or a text such as 1..5", field=field)
        yield axis(name, texts, field)


def _text(value: object, field: str) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int | float):
        return str(value)
    raise Misuse("must be a text or a number", field=field)


def _after(value: object, field: str) -> tuple[list[tuple[str, str]], list[Problem]]:
    from jobctl.job.spec.job_fields import dependency

    if value is None:
        return [], []
    if not isinstance(value, list):
        value = [value]
    found, problems = [], []
    for index, item in enumerate(value):
        named = dependency(item)
        if not isinstance(named, dict) or not isinstance(named.get("job"), str) or set(named) - {"job", "on"}:
            problems.append(Problem(f"{field}[{index}]", "must be a name, NAME:any or NAME:failed"))
            continue
        on = named.get("on", "completed")
        if on not in ("completed", "any", "failed"):
            problems.append(Problem(f"{field}[{index}]", "must be a name, NAME:any or NAME:failed"))
            continue
        found.append((named["job"], on))
    return found, problems


def _sources(artifacts: object, jobs: Tree) -> Iterator[tuple[int, str]]:
    """Yields the artifacts that take files of a job of the file, by its name; another text is the id of a job that exists."""
    for number, artifact in enumerate(artifacts if isinstance(artifacts, list) else ()):
        if isinstance(artifact, dict) and artifact.get("type") == "job":
            job = artifact.get("job")
            if isinstance(job, str) and job in jobs:
                yield number, job


def _source_problems(
    name: str, sources: Sequence[tuple[int, str]], field: str, jobs: Tree
) -> Iterator[Problem]:
    for number, job in sources:
        fields = jobs[job]
        if job == name:
            yield Problem(f"{field}[{number}].job", "a job cannot take its own files")
        elif isinstance(fields, dict) and "matrix" in fields:
            yield Problem(
                f"{field}[{number}].job", f"{job!r} has a matrix; name one of its jobs, with the set's id"
            )


def _unknown(entries: Sequence[Entry], names: Sequence[str]) -> Iterator[Problem]:
    for entry in entries:
        seen: set[str] = set()
        for index, (name, _) in enumerate(entry.after):
            at = f"{entry.path}.after[{index}]"
            if name not in names:
                yield Problem(at, f"there is no job {name!r} in this file; its jobs are {', '.join(names)}")
            elif name == entry.name:
                yield Problem(at, "a job cannot wait for itself")
            elif name in seen:
                yield Problem(at, f"{name!r} is listed twice")
            seen.add(name)


def _same_ids(entries: Sequence[Entry]) -> Iterator[Problem]:
    seen: dict[str, str] = {}
    for entry in entries:
        for own_id in ids_of(entry, "SET"):
            if own_id in seen:
                yield Problem(entry.path, f"{seen[own_id]} and {entry.name} would both have the id {own_id}")
                break
            seen[own_id] = entry.name


def _ordered(entries: Sequence[Entry]) -> tuple[list[Entry], list[str]]:
    """Returns the entries, each behind those that it waits for, else in the order of the file; and the names of a circle, if there is one."""
    by_name = {entry.name: entry for entry in entries}
    ordered: list[Entry] = []
    done: set[str] = set()
    for first in entries:
        path: list[str] = []
        todo = [(first.name, False)]
        while todo:
            name, left = todo.pop()
            if left:
                path.pop()
                if name not in done:
                    done.add(name)
                    ordered.append(by_name[name])
            elif name in path and name != (path[-1] if path else None):
                return [], [*path[path.index(name) :], name]
            elif name in by_name and name not in done and name not in path:
                path.append(name)
                todo.append((name, True))
                todo += [(other, False) for other in reversed(by_name[name].earlier)]
    return ordered, []
