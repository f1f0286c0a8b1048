"""Plans the jobs of a file with several jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobctl.errors import JobctlError, Misuse
from jobctl.job.spec.plan import Flags, Tree
from jobctl.sets.document import Entry, ids_of, read_document
from jobctl.sets.planning import (
    PlannedJob,
    SetPlan,
    Surroundings,
    filled_tree,
    planned,
    set_id,
    with_fields,
)
from jobd.wire.validation.limits import MAX_AFTER

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from jobctl.job.requests.submission import Source

_FLAGS_OF_ONE_JOB = {
    "image": "IMAGE",
    "shell": "--sh",
    "entrypoint": "--entrypoint",
    "name": "--name",
    "after": "--after",
}


def plan_document(flags: Flags, source: Source, tree: Tree, surroundings: Surroundings) -> SetPlan:
    """Returns the jobs of a file; the flags are over the fields of each job.

    Raises:
        Misuse: a flag is about one job, or the file has a problem, which the message locates.
    """
    document = read_document(tree)
    if document.problems:
        raise located(
            source, document.problems[0].field, document.problems[0].message, len(document.problems)
        )
    for name, flag in _FLAGS_OF_ONE_JOB.items():
        if getattr(flags, name) not in (None, (), []):
            raise Misuse(
                f"{flag} is about one job, and {source.name} has several", hint="write it into the file"
            )
    image = flags.image or next((entry.tree.get("image") for entry in document.entries), None)
    name = set_id(flags.set if flags.set is not None else document.set, image, surroundings.fresh)
    flags = with_fields(flags, set=name)
    ids = {entry.name: list(ids_of(entry, name)) for entry in document.entries}
    jobs: list[PlannedJob] = []
    for entry in document.entries:
        after = [{"job": one, "on": on} for other, on in entry.after for one in ids[other]]
        if len(after) > MAX_AFTER:
            raise located(source, f"{entry.path}.after", too_many(len(after)))
        sources = {number: ids[other][0] for number, other in entry.sources}
        for own_id, filled, values in filled_entries(entry, name):
            fields = with_sources(filled, sources)
            try:
                plan = planned(with_fields(flags, name=own_id), fields, surroundings)
            except JobctlError as error:
                if error.field is None or error.message.startswith("-"):
                    raise
                raise located(source, _path(entry, _written(fields, error.field)), error.message) from None
            if after:
                plan.spec["after"] = after
            jobs.append(PlannedJob(plan, values))
    return SetPlan(name, tuple(jobs))


def filled_entries(entry: Entry, set_name: str) -> Iterator[tuple[str, Tree, dict[str, str]]]:
    """Yields the id, the fields and the values of each job of an entry."""
    for own_id, chosen in zip(ids_of(entry, set_name), entry.choices, strict=True):
        index = own_id.rpartition("-")[2]
        values = {**chosen, "set": set_name, "index": index}
        yield own_id, filled_tree(entry.tree, values) if entry.has_matrix else dict(entry.tree), chosen


def with_sources(fields: Tree, sources: Mapping[int, str]) -> Tree:
    """Returns the fields with the ids of the jobs whose files the artifacts take, by the numbers of the artifacts."""
    if not sources:
        return fields
    artifacts = [
        {**artifact, "job": sources[number]} if number in sources else artifact
        for number, artifact in enumerate(fields["artifacts"])
    ]
    return {**fields, "artifacts": artifacts}


def too_many(awaited: int) -> str:
    """Returns the text of a job that waits for too many jobs."""
    return f"the job waits for {awaited} jobs; a job can wait for at most {MAX_AFTER}"


def located(source: Source, field: str, message: str, problems: int = 1) -> Misuse:
    """Returns the error of a field with its place in the file."""
    from jobctl.job.spec import job_file

    position = job_file.Positions(source.text).position_of(field)
    at = f"{source.name}:{position}" if position else source.name
    hint = (
        f"to see all problems: jobctl validate -f {source.name}"
        if problems > 1 and source.name != "stdin"
        else None
    )
    return Misuse(f"{at}: {field}: {message.removeprefix(f'{field}: ')}", field=field, hint=hint)


def _path(entry: Entry, field: str) -> str:
    return f"{entry.path}.{field}" if entry.path else field


def _written(fields: Tree, field: str) -> str:
    from jobctl.job.spec.job_fields import spec_fields

    return spec_fields(fields).in_file(field)
