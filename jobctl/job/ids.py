"""From what a person types to jobs: the exact id first, else a prefix that fits one job alone; `@last` is the newest.

Owns that rule, and its exception: where a job is ended or removed, only a whole id or `@last` will do.
"""

import json
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from jobctl.connection.client import Client, job_path
from jobctl.errors import Conflict, JobctlError, Misuse, NotFound
from jobctl.job.listing import ACTIVE, labelled

LAST = "@last"
_MOST_SHOWN = 5
_MOST_FITTING = 10

Job = dict[str, Any]
T = TypeVar("T")


def resolve(client: Client, text: str) -> str:
    """Returns the id of the job that `text` means. Raises as `find` does."""
    return str(find(client, text)["id"])


def find(client: Client, text: str) -> Job:
    """Returns the job that `text` means, as the daemon shows it.

    Raises:
        NotFound: no job fits.
        Conflict: several do.
        Misuse: the text is empty.
    """
    job = _exactly(client, text)
    if job is not None:
        return job
    fits = _page(client, {"prefix": text, "limit": _MOST_SHOWN + 1})
    if not fits:
        raise _no_job(text)
    ids = list(
        dict.fromkeys(str(job["id"]) for job in fits)
    )  # an id may have been used before: the newest counts
    if len(ids) > 1:
        names = ", ".join(ids[:_MOST_SHOWN])
        more = ", ..." if len(fits) > _MOST_SHOWN else ""
        raise Conflict(
            f"{text!r} fits several jobs: {names}{more}", hint="add a letter or two", code="ambiguous-id"
        )
    return fits[0]


def find_each(client: Client, texts: Iterable[str]) -> tuple[list[Job], list[JobctlError]]:
    """Returns the jobs that `texts` mean, in their order, and what is wrong with those that mean none.

    Raises:
        Misuse: a text is empty. Unreachable, ConnectionLost, NotAllowed, Refused.
    """
    return _each(texts, lambda text: find(client, text))


def find_whole(client: Client, texts: Iterable[str]) -> tuple[list[Job], list[JobctlError]]:
    """Returns the jobs whose whole ids, or `@last`, are given, in their order, and an error for each id that there is not.

    Raises:
        NotFound: a text is the beginning of an id; which ones begin so is said, and nothing is to be done to any of `texts`.
        Misuse: a text is empty. Unreachable, ConnectionLost, NotAllowed, Refused.
    """

    def whole(text: str) -> Job:
        job = _exactly(client, text)
        if job is None:
            raise _no_job(text)
        return job

    jobs, errors = _each(texts, whole)
    if errors:
        given = [text for text in dict.fromkeys(texts) if text != LAST]
        for text in given:
            if not any(str(job["id"]) == text for job in jobs):
                _refuse_prefix(client, text)
    return jobs, errors


def chosen(
    client: Client, texts: list[str] | None, labels: list[str] | None, statuses: Iterable[str] = ()
) -> list[Job]:
    """Returns the jobs that ids, or labels where ids are not given, choose. With labels, those in one of `statuses` (none: all).

    Raises:
        Misuse: both are given, or neither.
        NotFound, Conflict: an id means no job, or several; no job has the labels.
    """
    one_of_both(texts, labels)
    if labels:
        return labelled(client, labels, statuses)
    return [find(client, text) for text in texts or ()]


def chosen_whole(
    client: Client, texts: list[str] | None, labels: list[str] | None
) -> tuple[list[Job], list[JobctlError]]:
    """Returns as `find_whole` does, or with labels the jobs under way that have them. Raises as both do."""
    one_of_both(texts, labels)
    return (labelled(client, labels, ACTIVE), []) if labels else find_whole(client, texts or ())


def one_of_both(texts: list[str] | None, labels: list[str] | None) -> None:
    """Raises Misuse where ids and labels are given, or neither."""
    if bool(texts) == bool(labels):
        raise Misuse("either ids or --label is needed", hint="jobctl ls lists the jobs that are under way")


def _exactly(client: Client, text: str) -> Job | None:
    if not text:
        raise Misuse("a job's id must not be empty", hint="jobctl ls")
    if text == LAST:
        newest = _page(client, {"owner": "me", "limit": 1})
        if not newest:
            raise NotFound("this user has no job yet", hint="jobctl run IMAGE [COMMAND...]")
        return newest[0]
    try:
        job: Job = json.loads(client.get(job_path(text)))
    except NotFound:
        return None
    return job


def _refuse_prefix(client: Client, text: str) -> None:
    fits = _page(client, {"prefix": text, "limit": _MOST_FITTING + 1})
    if fits:
        names = ", ".join(dict.fromkeys(str(job["id"]) for job in fits[:_MOST_FITTING]))
        more = " and more" if len(fits) > _MOST_FITTING else ""
        raise NotFound(
            f"no job {text!r}, and nothing was done; the ids that begin so are {names}{more}",
            hint="give the whole id: a job is ended or removed by it alone",
            code="prefix-refused",
        )


def _no_job(text: str) -> NotFound:
    return NotFound(f"no job {text!r}", hint="jobctl ls -a")


def _each(texts: Iterable[str], look: Callable[[str], T]) -> tuple[list[T], list[JobctlError]]:
    found: list[T] = []
    errors: list[JobctlError] = []
    for text in dict.fromkeys(texts):
        try:
            found.append(look(text))
        except (NotFound, Conflict) as error:
            errors.append(error)
    return found, errors


def _page(client: Client, query: dict[str, object]) -> list[Job]:
    jobs = json.loads(client.get("/v1/jobs", query)).get("jobs", [])
    return [job for job in jobs if isinstance(job, dict) and isinstance(job.get("id"), str)]
