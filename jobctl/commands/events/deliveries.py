"""`jobctl deliveries`: lists the deliveries of a job's events to its callback."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import chain
from typing import TYPE_CHECKING, Annotated, Any

from jobctl.connection.client import job_path
from jobctl.connection.session import session_of
from jobctl.errors import Misuse
from jobctl.output import output
from jobctl.output.drawing import TableWriter
from jobctl.output.table import Table
from jobctl.selection.ids import resolve
from jobctl.units import age, parse_time, short_duration

if TYPE_CHECKING:
    import typer

    from jobctl.commands.arguments import Id
    from jobctl.connection.client import Client

STATES = ("pending", "delivered", "parked", "abandoned")
FORMATS = ("table", "wide", "json", "yaml", "name")
EXAMPLES = """
  jobctl deliveries @last
  jobctl deliveries @last --state parked -o wide
  jobctl deliveries @last --state parked -o name | xargs jobctl replay
"""
COLUMNS = ("DELIVERY", "EVENT", "STATE", "ATTEMPTS", "LAST", "NEXT", "AGE")
WIDE = (*COLUMNS, "URL", "ERROR")
DROP = ("AGE", "URL", "ERROR", "NEXT", "LAST", "ATTEMPTS", "EVENT")
TEXTS = frozenset({"URL", "ERROR"})
WIDE_TABLE = Table(WIDE, DROP, TEXTS)
TABLE = WIDE_TABLE.only(COLUMNS)
PAGE = 500


def deliveries(
    ctx: typer.Context,
    job: Id,
    state: Annotated[
        str | None,
        typer.Option(
            "--state",
            metavar="STATE",
            help="Only deliveries in this state: pending, delivered, parked or abandoned.",
        ),
    ] = None,
) -> None:
    """List the callback deliveries of a job, oldest first."""
    session = session_of(ctx)
    if state is not None and state not in STATES:
        raise Misuse(f"--state {state!r} is not a state", hint=f"use one of {', '.join(STATES)}")
    client = session.client()
    job_id = resolve(client, job)
    pages = pages_of(client, job_id, state)
    if session.format == "name":
        for page in pages:
            output.text("".join(f"{entry['id']}\n" for entry in page))
    elif session.format in ("json", "yaml"):
        output.tree_of_list("deliveries", chain.from_iterable(pages), session.format)
    else:
        now, wide = datetime.now(UTC), session.format == "wide"
        writer = TableWriter(WIDE_TABLE if wide else TABLE)
        for page in pages:
            writer.add([row(entry, now, wide=wide) for entry in page])


def pages_of(client: Client, job_id: str, state: str | None) -> Iterator[list[dict[str, Any]]]:
    """Yields the deliveries of a job page by page, oldest first; with `state`, only those in it."""
    cursor: object = None
    while True:
        page = json.loads(client.get(job_path(job_id, "deliveries"), {"after": cursor, "limit": PAGE}))
        yield [entry for entry in page["deliveries"] if state in (None, entry["state"])]
        cursor = page.get("next")
        if not cursor:
            return


def row(entry: dict[str, Any], now: datetime, *, wide: bool) -> list[str]:
    """Returns one row of the table; LAST is the receiver's status or `error`."""
    next_attempt = parse_time(entry.get("nextAttemptAt")) if entry["state"] == "pending" else None
    last = entry.get("lastStatus") or ("error" if entry.get("lastError") else "-")
    cells = [
        str(entry["id"]), str(entry["eventType"]).removeprefix("orchestrator.job."), str(entry["state"]),
        str(entry["attempts"]), str(last),
        "-" if next_attempt is None else f"in {short_duration((next_attempt - now).total_seconds())}", age(entry.get("createdAt"), now),
    ]  # fmt: skip
    return [*cells, str(entry.get("url") or "-"), str(entry.get("lastError") or "-")] if wide else cells
