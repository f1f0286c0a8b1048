"""Submits the jobs of a set in their order, over one connection: the first job of a set is the first to start.

A job comes after those that it waits for. A refusal ends the submission: a set's id that belongs to other jobs is refused with the first
of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from jobctl.errors import JobctlError, Misuse
from jobctl.job.requests.submission import Source, encoded, submit
from jobctl.job.spec.plan import Plan
from jobctl.sets.planning import SetPlan
from jobctl.value import Value

if TYPE_CHECKING:
    from jobctl.connection.client import Client


class Submitted(Value):
    """How many jobs jobd has accepted, and how many of these it had before."""

    accepted: int
    known: int


def check_specs(planned: SetPlan, source: Source) -> None:
    """Checks each job as jobd does, before any job is submitted. Raises Misuse: names the job and the field."""
    from jobctl.imports import import_aside

    import_aside("jobd.wire.validation.job_spec")
    from jobd.wire.problem import InvalidSpec
    from jobd.wire.validation.job_spec import decode_spec

    for job in planned.jobs:
        try:
            decode_spec(encoded(job.plan.spec))
        except InvalidSpec as error:
            first = error.problems[0]
            with source.located():
                raise Misuse(
                    f"{job.id}: {first.message}", field=first.field or None, code="invalid-spec"
                ) from None


def submit_set(
    client: Client, planned: SetPlan, source: Source, on_accepted: Callable[[int], None]
) -> Submitted:
    """Submits all jobs. Calls `on_accepted` with the number of accepted jobs after each one.

    Raises:
        JobctlError: jobd refuses a job, or cannot be reached; no further job is sent. The hint says how to continue.
    """
    accepted = known = 0
    for job in planned.jobs:
        try:
            answer = submit(client, job.plan, source, keep=True, again=True)
            _remember(job.plan, answer)
        except JobctlError as error:
            _explain(error, planned.id, job.id, accepted, len(planned.jobs))
            raise
        accepted += 1
        known += "createdAt" in answer
        on_accepted(accepted)
    return Submitted(accepted, known)


def _explain(error: JobctlError, set_id: str, job_id: str, accepted: int, total: int) -> None:
    if job_id not in error.message:
        error.message = f"{job_id}: {error.message}"
    if accepted:
        error.message += f" ({accepted} of {total} jobs of {set_id} are submitted)"
        error.hint = f"the same command with --set {set_id} submits the others; jobctl cancel --set {set_id} ends these"
    if error.code == "exists":
        error.hint = f"the set {set_id} has another job of this id; name another set: --set NAME"


def _remember(plan: Plan, answer: dict[str, Any]) -> None:
    if plan.fetches:
        from jobctl.transfers.local_outputs import remember

        remember(str(answer.get("uid") or ""), plan.fetches)
