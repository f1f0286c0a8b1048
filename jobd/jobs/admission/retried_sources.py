"""The earlier jobs whose files a retry takes. Pure.

A job that takes files of an earlier one awaits that job's completion, unless `after` has another condition for it. A retry of both takes
the files of the earlier job's retry. Files of a job that has failed may be incomplete.
"""

from collections.abc import Collection, Iterator, Mapping

from msgspec.structs import replace

from jobd.errors import Conflict, InvalidRequest
from jobd.jobs.record.record import Record
from jobd.jobs.state.transitions.on_dependency import why_unmet
from jobd.wire.artifact import JobFiles
from jobd.wire.job import Dependency, JobSpec


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


def implied_sources(spec: JobSpec, replaced: Collection[str]) -> list[str]:
    """Returns the jobs that a retry with this spec awaits only for their files, without those in `replaced`, which run anew beside it."""
    named = {dependency.job for dependency in spec.after}
    return [job_id for job_id in dict.fromkeys(_source_ids(spec)) if job_id not in named | set(replaced)]


def met_conditions(spec: JobSpec, sources: Mapping[str, str]) -> list[Dependency]:
    """Returns what a retry needs of the dependencies that the old job has met: the conditions other than completion for the jobs whose
    files it takes, with the ids in `sources` in place of theirs.
    """
    taken = set(_source_ids(spec))
    kept = {
        sources.get(each.job, each.job): each.on
        for each in spec.after
        if each.job in taken and each.on != "completed"
    }
    return [Dependency(job=job_id, on=on) for job_id, on in kept.items()]


def check_source(old: Record, source: Record) -> None:
    """Raises Conflict: `source`, whose completion the retry of the old job awaits for its files, has ended otherwise."""
    if not source.ended:
        return
    if why := why_unmet(source.id, "completed", source.status):
        raise Conflict(
            f"job {old.id!r} cannot start: it takes files of another job, and {why}; retry both in one command, or give the id of that"
            f" job's retry in sources (jobctl retry {source.id} {old.id})",
            code="dependency",
            field="sources",
        )


def _source_ids(spec: JobSpec) -> Iterator[str]:
    return (each.job for each in spec.artifacts if isinstance(each, JobFiles))
