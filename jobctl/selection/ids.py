"""The jobs that ids on the command line name: an exact id, else a unique prefix; `@last` is the user's newest job.

Commands that end or remove jobs accept no prefixes, only whole ids and `@last`.
"""

import json
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from jobctl.connection.client import Client, job_path
from jobctl.errors import Conflict, JobctlError, Misuse, NotFound
from jobctl.selection.listing import ACTIVE, labelled
from jobctl.selection.sets import NamedSet, find_set, the_set

LAST = "@last"
_MOST_SHOWN = 5
_MOST_MATCHES = 10

Job = dict[str, Any]
T = TypeVar("T")


def resolve(client: Client, text: str) -> str:
    """Returns the id of the job that `text` names. Raises as `find` does."""
    return str(find(client, text)["id"])


def find(client: Client, text: str) -> Job:
    """Returns the job that `text` names, as the daemon answers it.

    Raises:
        NotFound: no job matches.
        Conflict: several jobs match.
        Misuse: the text is empty.
    """
    job = _exactly(client, text)
    return job if job is not None else _by_prefix(client, text)


def _by_prefix(client: Client, text: str) -> Job:
    matches = _page(client, {"prefix": text, "limit": _MOST_SHOWN + 1})
    if not matches:
        raise _no_job(client, text)
    # Several jobs may have had one id: the newest counts.
    ids = list(dict.fromkeys(str(job["id"]) for job in matches))
    if len(ids) > 1:
        names = ", ".join(ids[:_MOST_SHOWN])
        more = ", ..." if len(matches) > _MOST_SHOWN else ""
        raise Conflict(
            f"{text!r} matches several jobs: {names}{more}",
            hint="give more letters of the id",
            code="ambiguous-id",
        )
    return matches[0]


def find_each(client: Client, texts: Iterable[str]) -> tuple[list[Job], list[JobctlError]]:
    """Returns the jobs that `texts` name, in their order, and an error for each text that names none.

    Raises:
        Misuse: a text is empty. Unreachable, ConnectionLost, NotAllowed, Refused.
    """
    return _each(texts, lambda text: find(client, text))


def find_whole(client: Client, texts: Iterable[str]) -> tuple[list[Job], list[JobctlError]]:
    """Returns the jobs that `texts` name by whole id or `@last`, in their order, and an error for each id without a job.

    Raises:
        NotFound: a text is a prefix of ids, which the message lists; the caller must change none of the jobs.
        Misuse: a text is empty. Unreachable, ConnectionLost, NotAllowed, Refused.
    """

    def whole(text: str) -> Job:
        job = _exactly(client, text)
        if job is None:
            raise _no_job(client, text)
        return job

    jobs, errors = _each(texts, whole)
    if errors:
        for text in [text for text in dict.fromkeys(texts) if text != LAST]:
            if not any(str(job["id"]) == text for job in jobs):
                _refuse_prefix(client, text)
    return jobs, errors


def select_jobs_or_sets(
    client: Client, texts: list[str] | None, labels: list[str] | None, set_id: str | None
) -> tuple[list[Job], list[NamedSet]]:
    """Returns the jobs that the ids or labels name, or the sets: an id that is no job's may be that of a set, before it is a prefix.

    Raises:
        Misuse: two of ids, labels and `set_id` are given, or none; or jobs are named together with sets.
        NotFound, Conflict: an id names no job, or several; no job has the labels; there is no such set.
    """
    if set_id is not None:
        return [], [the_set(client, set_id, texts, labels)]
    check_ids_or_labels(texts, labels)
    if labels:
        return labelled(client, labels), []
    jobs: list[Job] = []
    sets: list[NamedSet] = []
    for text in texts or ():
        job = _exactly(client, text)
        found = find_set(client, text) if job is None else None
        if found is not None:
            sets.append(found)
        else:
            jobs.append(job if job is not None else _by_prefix(client, text))
    if jobs and sets:
        raise Misuse(f"{sets[0].id} is a set, and {jobs[0]['id']} is a job; give either jobs or sets")
    return jobs, sets


def select_whole_or_sets(
    client: Client, texts: list[str] | None, labels: list[str] | None, set_id: str | None
) -> tuple[list[Job], list[NamedSet], list[JobctlError]]:
    """Returns the jobs and sets that whole ids or `@last` name, an id that is no job's as a set, and an error for each id of neither; or
    the active jobs that have the labels; or the set.

    Raises:
        NotFound: a text is a prefix of ids, which the message lists; the caller must change none of the jobs. There is no such set.
        Misuse: two of ids, labels and `set_id` are given, or none. Unreachable, ConnectionLost, NotAllowed, Refused.
    """
    if set_id is not None:
        return [], [the_set(client, set_id, texts, labels)], []
    check_ids_or_labels(texts, labels)
    if labels:
        return labelled(client, labels, ACTIVE), [], []
    jobs: list[Job] = []
    sets: list[NamedSet] = []
    errors: list[JobctlError] = []
    for text in dict.fromkeys(texts or ()):
        try:
            job = _exactly(client, text)
        except NotFound as error:
            errors.append(error)
            continue
        if job is not None:
            jobs.append(job)
        elif (found := find_set(client, text)) is not None:
            sets.append(found)
        else:
            _refuse_prefix(client, text)
            errors.append(_no_job(client, text))
    return jobs, sets, errors


def check_ids_or_labels(texts: list[str] | None, labels: list[str] | None) -> None:
    """Raises Misuse where ids and labels are given, or neither."""
    if bool(texts) == bool(labels):
        problem = "give either ids or --label, not both" if texts else "no job given: give ids or --label"
        raise Misuse(problem, hint="jobctl ls lists the active jobs")


def _exactly(client: Client, text: str) -> Job | None:
    if not text:
        raise Misuse("a job's id must not be empty", hint="jobctl ls lists the active jobs")
    if text == LAST:
        newest = _page(client, {"owner": "me", "limit": 1})
        if not newest:
            raise NotFound("this user has no jobs yet", hint="jobctl run IMAGE [COMMAND...]")
        return newest[0]
    try:
        job: Job = json.loads(client.get(job_path(text)))
    except NotFound:
        return None
    return job


def _refuse_prefix(client: Client, text: str) -> None:
    matches = _page(client, {"prefix": text, "limit": _MOST_MATCHES + 1})
    if matches:
        names = ", ".join(dict.fromkeys(str(job["id"]) for job in matches[:_MOST_MATCHES]))
        more = " and more" if len(matches) > _MOST_MATCHES else ""
        raise NotFound(
            f"no job {text!r}, so no job was changed; ids that begin with {text!r}: {names}{more}",
            hint="give the whole id: commands that end or remove jobs accept no prefixes",
            code="prefix-refused",
        )


def _no_job(client: Client, text: str) -> NotFound:
    from jobctl.selection.near_ids import no_job  # only here: most ids name a job

    return no_job(client, text)


def _each(texts: Iterable[str], find_one: Callable[[str], T]) -> tuple[list[T], list[JobctlError]]:
    jobs: list[T] = []
    errors: list[JobctlError] = []
    for text in dict.fromkeys(texts):
        try:
            jobs.append(find_one(text))
        except (NotFound, Conflict) as error:
            errors.append(error)
    return jobs, errors


def _page(client: Client, query: dict[str, object]) -> list[Job]:
    jobs = json.loads(client.get("/v1/jobs", query)).get("jobs", [])
    return [job for job in jobs if isinstance(job, dict) and isinstance(job.get("id"), str)]
