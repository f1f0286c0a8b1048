"""Validation of the fields by which a job queues: priority, group, set, dependencies, GPUs, and further attempts.

Pure. Whether a dependency exists, and how many GPUs there are, the daemon alone can tell.

Source: man/job.5.
"""

from collections.abc import Iterator

from jobd.wire.job import RETRY_REASONS, JobSpec
from jobd.wire.problem import Problem
from jobd.wire.validation.limits import (
    MAX_AFTER,
    MAX_GPUS,
    MAX_PRIORITY,
    MAX_RETRIES,
    MAX_RETRY_ON,
    MIN_PRIORITY,
)
from jobd.wire.validation.names import group_problem, id_problem


def queue_problems(spec: JobSpec) -> Iterator[Problem]:
    """Yields the problems of `priority`, `group`, `set`, `gpus` and `after`."""
    if not MIN_PRIORITY <= spec.priority <= MAX_PRIORITY:
        yield Problem("priority", f"must be from {MIN_PRIORITY} to {MAX_PRIORITY}")
    if why := group_problem(spec.group):
        yield Problem("group", why)
    if spec.set and (why := group_problem(spec.set)):
        yield Problem("set", why)
    if isinstance(spec.gpus, int) and not 0 <= spec.gpus <= MAX_GPUS:
        yield Problem("gpus", f"must be from 0 to {MAX_GPUS}, or all")
    if len(spec.after) > MAX_AFTER:
        yield Problem("after", f"must have at most {MAX_AFTER} entries")
        return
    seen: set[str] = set()
    for index, dependency in enumerate(spec.after):
        at = f"after[{index}].job"
        if why := id_problem(dependency.job):
            yield Problem(at, why)
        elif dependency.job == spec.id:
            yield Problem(at, "a job cannot wait for itself")
        elif dependency.job in seen:
            yield Problem(at, f"{dependency.job!r} is listed twice")
        seen.add(dependency.job)


def retry_problems(spec: JobSpec) -> Iterator[Problem]:
    """Yields the problems of `retries` and `retryOn`."""
    if not 0 <= spec.retries <= MAX_RETRIES:
        yield Problem("retries", f"must be from 0 to {MAX_RETRIES}")
    elif spec.retries and spec.is_interactive:
        yield Problem(
            "retries",
            "cannot be combined with stdin, tty or attach: what a client sends to the first attempt is gone for the next one",
        )
    if len(spec.retry_on) > MAX_RETRY_ON:
        yield Problem("retryOn", f"must have at most {MAX_RETRY_ON} entries")
    for index, cause in enumerate(spec.retry_on):
        if isinstance(cause, int) and not 1 <= cause <= 255:
            yield Problem(f"retryOn[{index}]", "an exit code must be from 1 to 255")
        if isinstance(cause, str) and cause not in RETRY_REASONS:
            yield Problem(
                f"retryOn[{index}]", f"must be an exit code or one of {', '.join(sorted(RETRY_REASONS))}"
            )
