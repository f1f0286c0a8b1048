"""From what a person types to a job's id: the exact id first, else a prefix that fits one job alone; `@last` is the newest.

Owns that rule.
"""

import json
from typing import Any

from jobctl.client import Client, job_path
from jobctl.errors import Conflict, Misuse, NotFound

LAST = "@last"
_MOST_SHOWN = 5


def resolve(client: Client, text: str) -> str:
    """Returns the id of the job that `text` means. Raises as `find` does."""
    return str(find(client, text)["id"])


def find(client: Client, text: str) -> dict[str, Any]:
    """Returns the job that `text` means, as the daemon shows it.

    Raises:
        NotFound: no job fits.
        Conflict: several do.
        Misuse: the text is empty.
    """
    if not text:
        raise Misuse("a job's id must not be empty", hint="jobctl ls")
    if text == LAST:
        newest = _page(client, {"owner": "me", "limit": 1})
        if not newest:
            raise NotFound("this user has no job yet", hint="jobctl run IMAGE [COMMAND...]")
        return newest[0]
    try:
        job: dict[str, Any] = json.loads(client.get(job_path(text)))
        return job
    except NotFound:
        pass
    fits = _page(client, {"prefix": text, "limit": _MOST_SHOWN + 1})
    if not fits:
        raise NotFound(f"no job {text!r}", hint="jobctl ls -a")
    if len(fits) > 1:
        names = ", ".join(str(job["id"]) for job in fits[:_MOST_SHOWN])
        more = ", ..." if len(fits) > _MOST_SHOWN else ""
        raise Conflict(
            f"{text!r} fits several jobs: {names}{more}", hint="add a letter or two", code="ambiguous-id"
        )
    return fits[0]


def _page(client: Client, query: dict[str, object]) -> list[dict[str, Any]]:
    jobs = json.loads(client.get("/v1/jobs", query)).get("jobs", [])
    return [job for job in jobs if isinstance(job, dict) and isinstance(job.get("id"), str)]
