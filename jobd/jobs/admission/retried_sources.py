"""The earlier jobs whose files a retry takes. Pure.

A job that takes files of an earlier one awaits that job's completion. A retry of both takes the files of the earlier job's retry. A retry
never takes files of a job that has failed since the old job was submitted: these files may be incomplete.
"""

from collections.abc import Iterator, Mapping

from msgspec.structs import replace

from jobd.errors import Conflict, InvalidRequest
from jobd.jobs.record.record import Record
from jobd.jobs.state.transitions.on_dependency import why_unmet
from jobd.wire.artifact import JobFiles
from jobd.wire.job import JobSpec


def with_sources(spec: JobSpec, sources: Mapping[str, str]) -> JobSpec:
    """Returns the spec with the ids of other jobs in the artifacts that take files of the jobs in `sources`.

    Raises:
        InvalidRequest: the spec takes no files of such a job.
    """
    if not sources:
        return spec
    taken = set(_source_ids(spec))
    for job_id in sources:
        if job_id not in taken:
            raise InvalidRequest(
                f"job {spec.id!r} takes no files of job {job_id[:64]!r}", field=f"sources.{job_id[:64]}"
            )
    artifacts = [
        replace(each, job=sources.get(each.job, each.job)) if isinstance(each, JobFiles) else each
        for each in spec.artifacts
    ]
    return replace(spec, artifacts=artifacts)


def implied_sources(spec: JobSpec, sources: Mapping[str, str]) -> list[str]:
    """Returns the jobs that the old job awaited only for their files, as far as `sources` replaces none of them."""
    named = {dependency.job for dependency in spec.after}
    return [job_id for job_id in dict.fromkeys(_source_ids(spec)) if job_id not in named | set(sources)]


def check_source(old: Record, source: Record) -> None:
    """Raises Conflict: `source` ended otherwise than completed after the submission of the old job, which awaited its completion."""
    if source.finished_at is None or source.finished_at < old.created_at:
        return  # an end before the submission did not matter to the old job
    if why := why_unmet(source.id, "completed", source.status):
        raise Conflict(
            f"job {old.id!r} cannot start: it takes files of another job, and {why}; retry both in one command, or give the id of that"
            f" job's retry in sources (jobctl retry {source.id} {old.id})",
            code="dependency",
            field="sources",
        )


def _source_ids(spec: JobSpec) -> Iterator[str]:
    return (each.job for each in spec.artifacts if isinstance(each, JobFiles))
