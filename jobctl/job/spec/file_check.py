"""Finds all problems of a job file, of one job or of several. Pure."""

from collections.abc import Callable
from typing import Any

from jobctl.job.spec.job_fields import spec_fields
from jobctl.job.spec.plan import generated_id
from jobctl.job.spec.spec_check import spec_problems
from jobctl.value import Value
from jobd.wire.problem import Problem

Tree = dict[str, Any]


class CheckedJob(Value):
    """A job of the file in the API's form. `in_file`: the file's name of a field."""

    tree: Tree
    in_file: Callable[[str], str]


class CheckedFile(Value):
    """The problems, with the file's names of fields; and without problems the jobs that a daemon can check: of each matrix the first."""

    problems: list[Problem]
    jobs: list[CheckedJob]


def check_file(written: Tree) -> CheckedFile:
    """Returns the problems and the jobs of a file, from its fields as written."""
    if "jobs" in written or "matrix" in written:
        from jobctl.sets.document_check import check_document

        return check_document(written)
    job, problems = check_job(written)
    return CheckedFile(problems, [] if problems else [job])


def check_job(written: Tree, prefix: str = "", job_id: str | None = None) -> tuple[CheckedJob, list[Problem]]:
    """Returns one job and its problems. `prefix`: what comes before the names of its fields; `job_id`: the id that it will have."""
    fields = spec_fields(written)
    tree = dict(fields.tree)
    if job_id is not None:
        tree["id"] = job_id
    if isinstance(tree.get("image"), str) and tree.get("id") is None:
        tree["id"] = generated_id(tree["image"], "000000")
    unconverted = {problem.field for problem in fields.problems}
    found = list(fields.problems)
    for problem in spec_problems(tree):
        field = fields.in_file(problem.field)
        if field not in unconverted and (field != "id" or job_id is None):
            found.append(Problem(field, problem.message))
    named = [Problem(prefix + problem.field, problem.message) for problem in found]
    return CheckedJob(tree, lambda field: prefix + fields.in_file(field)), named
