"""`jobctl stats`: shows the jobs that have ended in numbers."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated, Any

from jobctl.connection.session import session_of
from jobctl.errors import Misuse
from jobctl.output import output
from jobctl.selection.listing import since_time

if TYPE_CHECKING:
    import typer

FORMATS = ("table", "json", "yaml")
EXAMPLES = """
  jobctl stats
  jobctl stats --since 7d --by image
  jobctl stats --by label:team --json | jq '.groups[] | [.key, .successRate]'
"""
MOST_GROUPS = 100


def stats(
    ctx: typer.Context,
    since: Annotated[
        str | None,
        typer.Option(
            "--since",
            metavar="TIME",
            help="Only jobs that ended after this time: 7d (ago), or an RFC 3339 time.",
        ),
    ] = None,
    by: Annotated[
        str | None,
        typer.Option(
            "--by",
            metavar="WHAT",
            help="Also by image, group, label (each label of a job), or the values of one label: label:NAME.",
        ),
    ] = None,
    limit: Annotated[
        int,
        typer.Option(
            "--limit",
            metavar="N",
            min=1,
            max=MOST_GROUPS,
            show_default=False,
            help="With --by: at most N images, groups or labels, those with the most jobs. [20]",
        ),
    ] = 20,
) -> None:
    """Show the jobs that have ended in numbers: how many succeeded, and how long they waited, pulled images, moved files and ran.

    Counts jobs whose records the daemon still has (HISTORY_RETENTION). Times are percentiles over all of these jobs.
    """
    session = session_of(ctx)
    if by is not None and by not in ("image", "group", "label") and not by.startswith("label:"):
        raise Misuse(f"--by {by!r} is not known", hint="use image, group, label or label:NAME")
    if by == "label:":
        raise Misuse("--by label: needs the name of a label", hint="a variable of the shell may be empty")
    query = {"by": by, "since": None if since is None else since_time(since), "limit": limit}
    found = json.loads(session.client().get("/v1/stats", query))
    if session.format in ("json", "yaml"):
        output.tree(found, session.format)
    else:
        _show(found)


def _show(found: dict[str, Any]) -> None:
    from jobctl.output import statistics

    total = found["total"]
    output.text(statistics.sentence(found) + "\n")
    if total["jobs"]:
        if sys.stdout.isatty():
            output.text(statistics.over_time(found["intervals"]))
        output.text("\n")
        statistics.show_times(total)
        if total.get("reasons"):
            output.text("\n" + statistics.reasons(total["reasons"]))
    if found.get("groups"):
        output.text("\n")
        statistics.show_groups(found["by"], found["groups"], found.get("others"))
    sys.stdout.flush()
    output.note(statistics.known(found))
