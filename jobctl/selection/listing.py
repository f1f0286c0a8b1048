"""The daemon's list of jobs, page by page, and the filters for it. Owns the query of `GET /v1/jobs` and its cursor."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from jobctl.errors import Misuse, NotFound
from jobctl.flag_words import words

if TYPE_CHECKING:
    from jobctl.connection.client import Client

ACTIVE = ("accepted", "running")
TERMINAL = ("completed", "failed", "cancelled")
UNREADABLE = "unreadable"
STATUSES = (*ACTIVE, *TERMINAL, UNREADABLE)
SHOWN = (*ACTIVE, UNREADABLE)
"""The statuses that are listed without -a: active jobs, and those whose record is damaged."""
PAGE = 200
LABELLED = ("id", "uid", "status", "exitCode", "reason", "retriedFrom")
"""What is kept of a job that a label names; there may be thousands."""

Job = dict[str, Any]
Query = dict[str, object]


def filters(
    all_: bool,
    statuses: list[str],
    labels: list[str],
    mine: bool,
    since: str | None,
    set_id: str | None = None,
) -> Query:
    """Returns the query for the flags.

    Raises:
        Misuse: a status is unknown or empty, a label is not KEY=VALUE, or a time is invalid.
    """
    selected = words("--status", statuses, "a status")
    for name in selected:
        if name not in STATUSES:
            raise Misuse(f"--status {name!r} is not a status", hint=f"use one of {', '.join(STATUSES)}")
    query: Query = {}
    if selected or not all_:
        query["status"] = ",".join(selected or SHOWN)
    if labels:
        query["label"] = pairs(labels)
    if set_id is not None:
        if not set_id:
            raise Misuse("--set needs the id of a set", hint="a variable of the shell may be empty")
        query["set"] = set_id
    if mine:
        query["owner"] = "me"
    if since is not None:
        query["since"] = since_time(since)
    return query


def since_time(since: str) -> str:
    """Returns the time of --since as the daemon reads it. Raises Misuse: it is neither a duration nor a time."""
    from datetime import UTC, datetime

    from jobctl.units import time_before

    try:
        return time_before(since, datetime.now(UTC)).isoformat().replace("+00:00", "Z")
    except ValueError as error:
        raise Misuse(f"--since: {error}") from None


def pairs(labels: list[str]) -> list[str]:
    """Returns `labels`. Raises Misuse: one of them is not KEY=VALUE."""
    for pair in labels:
        if "=" not in pair.strip("="):
            raise Misuse(f"--label {pair!r} must be KEY=VALUE")
    return labels


def pages(client: Client, query: Query, limit: int = 0) -> Iterator[tuple[list[Job], bool]]:
    """Yields the matching jobs page by page, newest first, at most `limit` (0: all), each page with whether the daemon has more. Yields at
    least one page, which may be empty.
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
    """Yields all matching jobs, newest first."""
    for page, _ in pages(client, query):
        yield from page


def labelled(client: Client, labels: list[str], statuses: Iterable[str] = ()) -> list[Job]:
    """Returns the newest job of each id that has all labels, oldest first, with the fields of `LABELLED` only.

    Raises:
        NotFound: no job has the labels.
    """
    query: Query = {"label": pairs(labels), "status": ",".join(statuses) or None}
    newest: dict[str, Job] = {}
    for job in each(client, query):
        kept: Job = {key: job[key] for key in LABELLED if key in job}
        newest.setdefault(str(job["id"]), kept)
    if not newest:
        active = "active " if tuple(statuses) == ACTIVE else ""
        raise NotFound(f"no {active}job has the label {' and '.join(labels)}", hint="jobctl ls -a")
    return list(reversed(newest.values()))
