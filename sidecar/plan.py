"""The order of the artifacts, and for each artifact whether it runs, is skipped, or fails without running. Pure.

Artifacts that depend on the job, directly or through others, are outputs; all others are inputs.

Source: man/job.5, "ARTIFACTS".
"""

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from jobd.wire.artifact import JOB, Artifact, OutputBase, after_job
from sidecar.errors import Refusal
from sidecar.interrupts import WorkerEnd

Status = Literal["success", "failed", "skipped"]


class Plan(msgspec.Struct, frozen=True):
    """The inputs and the outputs, each after the artifacts that it depends on."""

    inputs: tuple[Artifact, ...]
    outputs: tuple[Artifact, ...]


class Outcome(msgspec.Struct, frozen=True):
    """The result of one artifact. `why`: the reason of a failure or skip; `forgiven`: the artifact failed and is optional."""

    status: Status
    why: str = ""
    forgiven: bool = False


def make_plan(artifacts: Sequence[Artifact]) -> Plan:
    """Returns the plan. Artifacts keep the order of the spec where their dependencies permit.

    Raises:
        Refusal: an id is repeated or reserved, a dependency does not exist, or dependencies form a circle.
    """
    by_id: dict[str, Artifact] = {}
    for artifact in artifacts:
        if artifact.id in by_id:
            raise Refusal(f"artifact {artifact.id!r} is given twice")
        if artifact.id == JOB:
            raise Refusal("an artifact cannot be called 'job'")
        by_id[artifact.id] = artifact
    placed: dict[str, Artifact] = {}
    for artifact in artifacts:
        chain: list[Artifact] = []
        at: Artifact | None = artifact
        while at is not None and at.id not in placed:
            if any(at.id == earlier.id for earlier in chain):
                circle = " -> ".join([*(a.id for a in chain), at.id])
                raise Refusal(f"artifact {artifact.id!r} depends on itself: {circle}")
            chain.append(at)
            at = _parent(at, by_id)
        for link in reversed(chain):
            placed[link.id] = link
    outputs = after_job(list(artifacts))
    return Plan(
        inputs=tuple(a for a in placed.values() if a.id not in outputs),
        outputs=tuple(a for a in placed.values() if a.id in outputs),
    )


def _parent(artifact: Artifact, by_id: Mapping[str, Artifact]) -> Artifact | None:
    if artifact.depends is None or artifact.depends == JOB:
        return None
    if artifact.depends not in by_id:
        raise Refusal(f"artifact {artifact.id!r} depends on {artifact.depends!r}, which does not exist")
    return by_id[artifact.depends]


def outcome_without_run(
    artifact: Artifact,
    outcomes: Mapping[str, Outcome],
    *,
    worker_end: WorkerEnd | None = None,
    failed_input: str | None = None,
) -> Outcome | None:
    """Returns None where the artifact must run, else its outcome without a run.

    `outcomes`: those of the earlier artifacts of the plan. `worker_end`: how the worker ended; None for inputs. `failed_input`: the
    first failed input; the job cannot start any more, so the remaining inputs are skipped.
    """
    cause = outcomes.get(artifact.depends) if artifact.depends not in (None, JOB) else None
    if cause is not None and cause.status == "failed" and not cause.forgiven:
        return failed(artifact, f"depends on {artifact.depends!r}, which failed: {_root_cause(cause.why)}")
    if cause is not None and cause.status != "success":
        how = "failed and is optional" if cause.status == "failed" else "was skipped"
        return Outcome("skipped", f"depends on {artifact.depends!r}, which {how}")
    if worker_end is not None:
        when = artifact.when if isinstance(artifact, OutputBase) else "success"
        if when not in ("always", worker_end):
            ended = "succeeded" if worker_end == "success" else "failed"
            return Outcome("skipped", f"runs on {when} only, and the job {ended}")
    if failed_input is not None:
        return Outcome("skipped", f"input {failed_input!r} failed, so the job does not start")
    return None


def failed(artifact: Artifact, why: str) -> Outcome:
    """Returns the failure of an artifact, forgiven where the artifact is optional."""
    return Outcome("failed", why, forgiven=isinstance(artifact, OutputBase) and artifact.optional)


def _root_cause(why: str) -> str:
    """Returns the last cause of a chain of failed dependencies."""
    return why.rpartition(", which failed: ")[2] if why.startswith("depends on ") else why
