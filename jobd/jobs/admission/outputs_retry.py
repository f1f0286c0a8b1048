"""Which ended jobs' outputs may be repeated on the workspace that is still there, and what the new job takes over. Pure but for one read.

Owns the refusals and their texts. `resubmission.py` creates the new job; the commit that stores the new job also stores in the earlier
job's record who has its workspace.
"""

from jobd.errors import Conflict, InvalidRequest
from jobd.jobs.admission.earlier_jobs import no_workspace
from jobd.jobs.record.parts import Ended
from jobd.jobs.record.record import Record
from jobd.jobs.state.handover import Takeover, Workspace
from jobd.jobs.storage import Liveness

REPEATABLE = frozenset({"output-failed", "output-too-large"})
"""The reasons of jobs whose worker has succeeded and whose outputs have failed."""


def check_adds_nothing(given: dict[str, object]) -> None:
    """Raises InvalidRequest: the request adds something that only the command would need. `given`: by the field's name."""
    for name, value in given.items():
        if value:
            raise InvalidRequest(
                f"a retry of the outputs alone takes no {name}: the command does not run again",
                code="invalid-spec",
                field=name,
            )


async def takeover_of(record: Record, store: Liveness) -> Takeover:
    """Returns what a job that repeats the outputs of this job takes over.

    Raises:
        Conflict: the job has not ended, its outputs have not failed, its workspace is removed, or another job has the workspace.
    """
    if not record.ended:
        raise Conflict(f"job {record.id!r} has not ended yet; wait for its end", code="not-ended")
    worker = record.takes.worker if record.takes is not None else record.worker
    if record.reason not in REPEATABLE or not isinstance(worker, Ended):
        how = f"{record.status}, {record.reason}" if record.reason else record.status
        raise Conflict(
            f"only outputs that have failed can be repeated: job {record.id!r} has the status {how}"
            f" (jobctl retry {record.id} runs the whole job anew)",
            code="outputs-not-failed",
        )
    taker = record.taken_by
    if taker is not None and (await store.liveness([taker.uid])).get(taker.uid):
        raise Conflict(
            f"job {taker.id!r} has taken over the workspace of job {record.id!r}; repeat the outputs of that job",
            code="taken-over",
        )
    if record.removal is not None or record.worker_id is None:
        text = f"the outputs of job {record.id!r} cannot be repeated: {no_workspace(record)}"
        raise Conflict(f"{text} (jobctl retry {record.id} runs the whole job anew)", code="no-workspace")
    workspace = (
        record.takes.workspace
        if record.takes is not None
        else Workspace(uid=record.uid, id=record.id, attempt=record.attempt.number)
    )
    ended = Ended(asked_at=worker.asked_at, exit_code=worker.exit_code)
    return Takeover(workspace=workspace, worker=ended)
