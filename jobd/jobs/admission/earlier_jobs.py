"""The earlier jobs that a new job names in `after` and in its inputs, as they are at the submission.

Owns which of them are refused, and that an input implies the completion of the job that it comes from, unless `after` has another
condition: whether that job fails before or after the submission changes nothing. Reads records; stores nothing.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from jobd.errors import InvalidRequest
from jobd.jobs.job_repository import JobRepository
from jobd.jobs.record.record import Record
from jobd.jobs.record.scheduling import Awaited
from jobd.jobs.state.handover import Source
from jobd.jobs.workspace_holds import BeingRemoved, Reservation
from jobd.store.errors import UnreadableJob
from jobd.wire.artifact import JobFiles
from jobd.wire.event import rfc3339
from jobd.wire.job import JobSpec

COMPLETED = "completed"


@dataclass(frozen=True, slots=True)
class EarlierJobs:
    """The jobs that must end first, and those whose workspaces stay for the new job."""

    after: list[Awaited] = field(default_factory=list)
    sources: list[Source] = field(default_factory=list)


async def earlier_jobs(spec: JobSpec, repository: JobRepository, reservation: Reservation) -> EarlierJobs:
    """Returns the jobs that `spec` names; `reservation` holds their workspaces.

    Raises:
        InvalidRequest: an id has no job, a user has deleted the job, or its workspace is removed.
    """
    found = EarlierJobs()
    uids: dict[str, str] = {}
    async for field_name, job_id, uid in _named(spec, repository):
        uids[job_id] = uid
        try:
            reservation.add(uid)
        except BeingRemoved:
            if not field_name.startswith("after"):
                raise _refused(f"jobd is removing the workspace of job {job_id!r}", field_name) from None
    for dependency in spec.after:
        found.after.append(Awaited(uid=uids[dependency.job], id=dependency.job, on=dependency.on))
    awaited = {one.id for one in found.after}
    readers = {a.job: f"artifacts[{n}].job" for n, a in enumerate(spec.artifacts) if isinstance(a, JobFiles)}
    for job_id, field_name in readers.items():
        uid = uids[job_id]
        source = await _source(repository, uid, job_id, field_name)
        if source.status != COMPLETED and job_id not in awaited:
            found.after.append(Awaited(uid=uid, id=job_id))
        workspace = source.takes.workspace if source.takes else None
        found.sources.append(Source(uid=uid, id=job_id, workspace=workspace))
    found.sources.extend(
        Source(uid=one.uid, id=one.id, files=False) for one in found.after if one.id not in readers
    )
    return found


async def _named(spec: JobSpec, repository: JobRepository) -> AsyncIterator[tuple[str, str, str]]:
    """Yields each named job: the field, the id and the uid."""
    names = [(f"after[{n}].job", one.job) for n, one in enumerate(spec.after)]
    names += [(f"artifacts[{n}].job", a.job) for n, a in enumerate(spec.artifacts) if isinstance(a, JobFiles)]
    known: dict[str, str] = {}
    for field_name, job_id in names:
        uid = known.get(job_id) or await repository.uid_of(job_id)
        if uid is None:
            raise _refused(f"no job {job_id!r}", field_name)
        known[job_id] = uid
        yield field_name, job_id, uid


async def _source(repository: JobRepository, uid: str, job_id: str, field_name: str) -> Record:
    try:
        record = await repository.stored(uid)
    except UnreadableJob as error:
        raise _refused(f"job {job_id!r} cannot be read: {error.why}", field_name) from None
    if record is None or record.is_deleted:
        raise _refused(f"no job {job_id!r}", field_name)
    if record.ended and (record.removal is not None or record.worker_id is None):
        raise _refused(no_workspace(record), field_name)
    return record


def no_workspace(record: Record) -> str:
    """Returns the error text for a job without a workspace: why and since when, and which outputs jobd has kept."""
    if record.removal is None:
        return (
            f"job {record.id!r} has no workspace yet"
            if not record.ended
            else f"job {record.id!r} had no workspace"
        )
    since = f" at {rfc3339(record.removal.at)}" if record.removal.at else ""
    kept = ", ".join(repr(path) for path, state in record.outputs.items() if state.status == "kept")
    text = f"job {record.id!r} has no workspace any more: jobd removed it{since}, JOB_RETENTION after the job's end"
    return f"{text}; jobd has kept {kept}" if kept else text


def _refused(text: str, field_name: str) -> InvalidRequest:
    return InvalidRequest(text, code="invalid-spec", field=field_name)
