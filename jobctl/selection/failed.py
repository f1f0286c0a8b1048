"""The failed jobs among ids, sets and labels: those that a retry runs anew.

A job has failed also if it was cancelled because a job that it waited for has failed. A job of a set that was retried already is left
out: its retry counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from jobctl.errors import Conflict, JobctlError, NotFound, Refused
from jobctl.selection.ids import LAST, check_ids_or_labels, find
from jobctl.selection.listing import each, pairs
from jobctl.value import Value

if TYPE_CHECKING:
    from jobctl.connection.client import Client

Job = dict[str, Any]
KEPT = ("id", "uid", "status", "reason", "startedAt", "retriedFrom", "after", "outputs", "artifacts")
"""What a retry needs of a job; a set may have thousands of jobs."""


class Failed(Value):
    """`jobs`: the failed jobs, oldest first in each set; `newer`: the ids of retries, by the id of the job that they run anew; `errors`: one
    for each text that names no job.
    """

    jobs: list[Job]
    newer: dict[str, str]
    errors: list[JobctlError]


def has_failed(job: Job) -> bool:
    """Returns whether the job has failed, by itself or with a job that it waited for."""
    return bool(job["status"] == "failed" or job.get("reason") == "dependency")


def retries_of(jobs: Sequence[Job]) -> dict[str, str]:
    """Returns the id of the newest retry, by the id of the job that it runs anew. `jobs`: newest first. Pure."""
    newer: dict[str, str] = {}
    for job in jobs:
        if job.get("retriedFrom"):
            newer.setdefault(str(job["retriedFrom"]), str(job["id"]))
    return newer


def to_retry(jobs: Sequence[Job]) -> list[Job]:
    """Returns the failed jobs that none of the others runs anew, oldest first. `jobs`: newest first. Pure."""
    retried = retries_of(jobs)
    newest: dict[str, Job] = {}
    for job in jobs:
        newest.setdefault(str(job["id"]), job)
    return [job for job in reversed(newest.values()) if has_failed(job) and job["id"] not in retried]


def failed_jobs(client: Client, texts: list[str] | None, labels: list[str] | None) -> Failed:
    """Returns the failed jobs that ids or sets name, or that have the labels.

    Raises:
        Misuse: ids and labels are given, or neither. Unreachable, ConnectionLost, NotAllowed, Refused.
    """
    check_ids_or_labels(texts, labels)
    if labels:
        members = _kept(each(client, {"label": pairs(labels)}))
        return Failed(to_retry(members), retries_of(members), [])
    found: dict[str, Job] = {}
    newer: dict[str, str] = {}
    errors: list[JobctlError] = []
    for text in dict.fromkeys(texts or ()):
        members = _of_set(client, text)
        if members:
            found |= {str(job["id"]): job for job in to_retry(members)}
            newer |= retries_of(members)
            continue
        try:
            job = find(client, text)
        except (NotFound, Conflict) as error:
            errors.append(error)
            continue
        if has_failed(job):
            found[str(job["id"])] = job
    return Failed(list(found.values()), newer, errors)


def _of_set(client: Client, name: str) -> list[Job]:
    """Returns the jobs of a set, newest first; none if no job has this set."""
    if name == LAST:
        return []
    try:
        return _kept(each(client, {"set": name}))
    except Refused as error:
        if error.field == "set":  # no name of a set, or jobd has no sets
            return []
        raise


def _kept(jobs: Iterable[Job]) -> list[Job]:
    kept = [{key: job[key] for key in KEPT if key in job} for job in jobs]
    for job in kept:
        if "artifacts" in job:
            job["artifacts"] = [each for each in job["artifacts"] if each.get("job")]
    return kept
