"""Validation of a job's artifacts: the fields of each, and their dependencies. Pure.

Source: man/job.5, "ARTIFACTS".
"""

import re
from collections.abc import Iterator

from jobd.wire.artifact import (
    JOB,
    Artifact,
    Download,
    JobFiles,
    List,
    Read,
    Unarchive,
    Upload,
    Write,
    after_job,
)
from jobd.wire.files.globs import glob_of
from jobd.wire.problem import Problem
from jobd.wire.validation.limits import MAX_ARTIFACTS
from jobd.wire.validation.names import id_problem, path_problem, url_problem

_MODE = re.compile(r"^0?[0-7]{3}\Z")
_SHA256 = re.compile(r"^[0-9a-fA-F]{64}\Z")


def artifact_problems(artifacts: list[Artifact], job_id: str = "") -> Iterator[Problem]:
    """Yields the problems of the artifacts of the job `job_id`, in their order."""
    if len(artifacts) > MAX_ARTIFACTS:
        yield Problem("artifacts", f"must have at most {MAX_ARTIFACTS} entries")
        return
    seen: set[str] = set()
    for index, artifact in enumerate(artifacts):
        at = f"artifacts[{index}]"
        if why := id_problem(artifact.id):
            yield Problem(f"{at}.id", why)
        elif artifact.id == JOB:
            yield Problem(f"{at}.id", "'job' stands for the job itself; choose another id")
        elif artifact.id in seen:
            yield Problem(f"{at}.id", f"{artifact.id!r} is used twice; ids must be unique")
        seen.add(artifact.id)
        yield from _paths(at, artifact)
        yield from _options(at, artifact)
        if isinstance(artifact, JobFiles):
            yield from _earlier_job(at, artifact, job_id)
    yield from _dependencies(artifacts)


def _paths(at: str, artifact: Artifact) -> Iterator[Problem]:
    if isinstance(artifact, Download):
        why = url_problem(artifact.source)
    else:
        why = None if isinstance(artifact, Write) else path_problem(artifact.source)
    if why:
        yield Problem(f"{at}.in", why)
    if isinstance(artifact, Read | List):
        return
    if isinstance(artifact, Upload):
        why = url_problem(artifact.out)
    else:
        why = path_problem(artifact.out)
        if (
            not why
            and not isinstance(artifact, Unarchive | JobFiles)
            and artifact.out.rstrip("/").rpartition("/")[2] in ("", ".")
        ):
            why = "must name a file"
        elif not why and not isinstance(artifact, Unarchive | JobFiles) and artifact.out.endswith("/"):
            why = "must name a file, without a '/' at its end"
    if why:
        yield Problem(f"{at}.out", why)


def _options(at: str, artifact: Artifact) -> Iterator[Problem]:
    if isinstance(artifact, Download):
        if artifact.sha256 is not None and not _SHA256.match(artifact.sha256):
            yield Problem(f"{at}.sha256", "must be 64 hexadecimal digits")
        if artifact.max_bytes is not None and artifact.max_bytes <= 0:
            yield Problem(f"{at}.maxBytes", "must be more than 0")
    if isinstance(artifact, Write) and artifact.mode is not None and not _MODE.match(artifact.mode):
        yield Problem(f"{at}.mode", 'must be octal permissions such as "0644"')
    if (
        isinstance(artifact, Unarchive)
        and artifact.subdir is not None
        and (why := path_problem(artifact.subdir))
    ):
        yield Problem(f"{at}.subdir", why.replace("the workspace", "the archive"))
    if isinstance(artifact, List):
        for index, glob in enumerate(artifact.excludes):
            try:
                glob_of(glob)
            except ValueError as error:
                yield Problem(f"{at}.excludes[{index}]", str(error))


def _earlier_job(at: str, artifact: JobFiles, job_id: str) -> Iterator[Problem]:
    if why := id_problem(artifact.job):
        yield Problem(f"{at}.job", why)
    elif artifact.job == job_id:
        yield Problem(f"{at}.job", "a job cannot take files of its own workspace")


def _dependencies(artifacts: list[Artifact]) -> Iterator[Problem]:
    depends = {a.id: a.depends for a in artifacts}
    late = after_job(artifacts)
    acyclic: set[str] = set()
    for index, artifact in enumerate(artifacts):
        at = f"artifacts[{index}].depends"
        if isinstance(artifact, JobFiles) and artifact.id in late:
            yield Problem(at, "files of an earlier job come before the command; they cannot depend on 'job'")
            continue
        if artifact.depends is None or artifact.depends == JOB:
            continue
        if artifact.depends not in depends:
            yield Problem(at, f"{artifact.depends!r} is neither an artifact's id nor 'job'")
            continue
        chain: list[str] = []
        step: str | None = artifact.id
        while step in depends and step not in chain and step not in acyclic:
            chain.append(step)
            step = depends[step]
        if step in chain:
            yield Problem(at, "depends on itself: " + " -> ".join([*chain, str(step)]))
        else:
            acyclic.update(chain)
