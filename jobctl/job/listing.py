"""The daemon's list of jobs, page by page to its end, and the filters that commands share.

Owns the query of `GET /v1/jobs` and its cursor. No more than one page is held at a time.
"""

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from jobctl.connection.client import Client
from jobctl.errors import Misuse, NotFound

ACTIVE = ("accepted", "running")
TERMINAL = ("completed", "failed", "cancelled")
UNREADABLE = "unreadable"
STATUSES = (*ACTIVE, *TERMINAL, UNREADABLE)
SHOWN = (*ACTIVE, UNREADABLE)
"""What is listed without -a: what is under way, and what needs somebody to look at it."""
PAGE = 200

Job = dict[str, Any]
Query = dict[str, object]


def filters(all_: bool, statuses: list[str], labels: list[str], mine: bool, since: str | None) -> Query:
    """Returns the query for the flags.

    Raises:
        Misuse: an unknown status, a label that is no pair, a time that is none.
    """
    wanted = [part for text in statuses for part in text.split(",") if part]
    for part in wanted:
        if part not in STATUSES:
            raise Misuse(f"--status {part!r} is not a status", hint=f"use one of {', '.join(STATUSES)}")
    query: Query = {}
    if wanted or not all_:
        query["status"] = ",".join(wanted or SHOWN)
    if labels:
        query["label"] = pairs(labels)
    if mine:
        query["owner"] = "me"
    if since is not None:
        from jobctl.job.units import moment_before

        try:
            query["since"] = moment_before(since, datetime.now(UTC)).isoformat().replace("+00:00", "Z")
        except ValueError as error:
            raise Misuse(f"--since: {error}") from None
    return query


def pairs(labels: list[str]) -> list[str]:
    """Returns the texts of --label. Raises Misuse: one is not KEY=VALUE."""
    for pair in labels:
        if "=" not in pair.strip("="):
            raise Misuse(f"--label {pair!r} must be KEY=VALUE")
    return labels


def pages(client: Client, query: Query, limit: int = 0) -> Iterator[tuple[list[Job], bool]]:
    """Yields the jobs that fit page by page, newest first, at most `limit` (0: all), each page with whether more follow that are
    not left out for the limit's sake alone. At least one page, which may be empty.
    """
    count = 0
    cursor: object = None
    while True:
        size = min(PAGE, limit - count) if limit else PAGE
        page = json.loads(client.get("/v1/jobs", {**query, "limit": size, "cursor": cursor}))
        count += len(page["jobs"])
        cursor = page.get("next")
        yield page["jobs"], bool(cursor)
        if not cursor or (limit and count >= limit):
            return


def each(client: Client, query: Query) -> Iterator[Job]:
    """Yields all jobs that fit, newest first."""
    for page, _ in pages(client, query):
        yield from page


def labelled(client: Client, labels: list[str], statuses: Iterable[str] = ()) -> list[Job]:
    """Returns the newest job of each id that has all the labels, oldest first: id, uid and how it ended, no more of each.

    Raises:
        NotFound: there is none.
    """
    query: Query = {"label": pairs(labels), "status": ",".join(statuses) or None}
    newest: dict[str, Job] = {}
    for job in each(client, query):
        kept: Job = {key: job[key] for key in ("id", "uid", "status", "exitCode", "reason") if key in job}
        newest.setdefault(str(job["id"]), kept)
    if not newest:
        under_way = " under way" if tuple(statuses) == ACTIVE else ""
        raise NotFound(f"no job{under_way} has the label {' and '.join(labels)}", hint="jobctl ls -a")
    return list(reversed(newest.values()))
