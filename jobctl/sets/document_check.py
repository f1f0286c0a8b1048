"""Finds all problems of a job file with several jobs. Pure."""

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
    jobs: list[CheckedJob] = []
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
                jobs.append(job)
    problems = list(dict.fromkeys(problems))
    return CheckedFile(problems, [] if problems else jobs)
