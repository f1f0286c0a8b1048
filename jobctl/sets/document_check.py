"""Finds all problems of a job file with several jobs. Pure."""

from collections.abc import Sequence

from jobctl.job.spec.file_check import CheckedFile, CheckedJob, check_job
from jobctl.job.spec.plan import Tree
from jobctl.sets.document import read_document
from jobctl.sets.document_plan import filled_entries, too_many
from jobd.wire.problem import Problem
from jobd.wire.validation.limits import MAX_AFTER


def check_document(written: Tree) -> CheckedFile:
    """Returns the problems and the jobs of a file with several jobs, from its fields as written."""
    document = read_document(written)
    problems = list(document.problems)
    if any("matrix" in problem.field.split(".") for problem in problems):
        return CheckedFile(problems, [])  # without its values a job cannot be checked
    jobs: list[tuple[CheckedJob, Sequence[tuple[int, str]]]] = []
    counts = {entry.name: len(entry.choices) for entry in document.entries}
    for entry in document.entries:
        awaited = sum(counts.get(name, 0) for name, _ in entry.after)
        if awaited > MAX_AFTER:
            problems.append(Problem(f"{entry.path}.after", too_many(awaited)))
        prefix = f"{entry.path}." if entry.path else ""
        for number, (own_id, filled, _) in enumerate(filled_entries(entry, "set")):
            job, found = check_job(filled, prefix, own_id)
            problems += found
            if number == 0:
                jobs.append((job, entry.sources))
    problems = list(dict.fromkeys(problems))
    if problems:
        return CheckedFile(problems, [])
    return CheckedFile(
        [], [CheckedJob(_without_sources(job.tree, taken), job.in_file) for job, taken in jobs]
    )


def _without_sources(tree: Tree, sources: Sequence[tuple[int, str]]) -> Tree:
    """Returns the fields with other artifacts in the place of those that take files of jobs of the file: no daemon knows these jobs yet.
    The numbers, ids and destinations of all artifacts stay.
    """
    numbers = {number for number, _ in sources}
    if not numbers:
        return tree
    artifacts = [
        {"id": artifact["id"], "type": "write", "in": "", "out": artifact["out"]}
        if number in numbers
        else artifact
        for number, artifact in enumerate(tree["artifacts"])
    ]
    return {**tree, "artifacts": artifacts}
