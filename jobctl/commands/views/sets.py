"""`jobctl sets`: lists the sets of jobs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

from jobctl.connection.session import session_of
from jobctl.errors import Misuse
from jobctl.output import output
from jobctl.output.table import Table

if TYPE_CHECKING:
    from datetime import datetime

    import typer

    from jobctl.connection.client import Client

FORMATS = ("table", "json", "yaml", "name")
EXAMPLES = """
  jobctl sets
  jobctl sets --json | jq -r '.sets[] | select(.failed) | .id'
"""
TABLE = Table(
    ("SET", "JOBS", "WAITING", "RUNNING", "COMPLETED", "FAILED", "CANCELLED", "AGE"),
    ("AGE", "CANCELLED", "WAITING"),
)
PAGE = 100

Set = dict[str, Any]


def sets(
    ctx: typer.Context,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Print only ids.")] = False,
    limit: Annotated[
        int,
        typer.Option(
            "--limit", metavar="N", min=0, show_default=False, help="At most N sets, the newest; 0: all. [20]"
        ),
    ] = 20,
) -> None:
    """List sets of jobs, newest first."""
    session = session_of(ctx)
    if quiet and session.format not in ("", "name"):
        raise Misuse(f"-q and -o {session.format} contradict each other", hint="give only one of them")
    pages = _pages(session.client(), limit)
    style = "name" if quiet else session.format
    count, more = 0, False

    def found() -> Iterator[Set]:
        nonlocal count, more
        for page, more in pages:  # noqa: B007 - the last one counts
            count += len(page)
            yield from page

    if style == "name":
        for one in found():
            output.text(f"{one['id']}\n")
    elif style in ("json", "yaml"):
        output.tree_of_list("sets", found(), style, lambda: {"more": more})
    else:
        _show(list(found()))
    if more:
        output.note(f"only the {count} newest sets are shown; --limit 0 shows all")


def _show(found: list[Set]) -> None:
    from datetime import UTC, datetime

    from jobctl.output import drawing

    if not found and sys.stdout.isatty():
        output.note("no sets; jobctl sweep and jobctl run --set make one")
        return
    now = datetime.now(UTC)
    drawing.table(TABLE, [_row(one, now) for one in found])


def _row(one: Set, now: datetime) -> list[str]:
    from jobctl.units import age

    names = ("total", "waiting", "running", "completed", "failed", "cancelled")
    return [str(one["id"]), *(str(one.get(name) or 0) for name in names), age(one.get("createdAt"), now)]


def _pages(client: Client, limit: int) -> Iterator[tuple[list[Set], bool]]:
    """Yields the sets page by page, newest first, at most `limit` (0: all), each page with whether the daemon has more."""
    count, cursor = 0, None
    while True:
        size = min(PAGE, limit - count) if limit else PAGE
        page = json.loads(client.get("/v1/sets", {"limit": size, "cursor": cursor}))
        count += len(page["sets"])
        cursor = page.get("next")
        yield page["sets"], bool(cursor)
        if not cursor or (limit and count >= limit):
            return
