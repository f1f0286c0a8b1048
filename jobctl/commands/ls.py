"""`jobctl ls`: lists the active jobs, or with -a all jobs."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

from jobctl.connection.session import session_of
from jobctl.errors import Misuse, NotFound
from jobctl.output import output
from jobctl.output.output import can_animate
from jobctl.output.table import Table
from jobctl.selection.listing import STATUSES, filters, pages

if TYPE_CHECKING:
    from datetime import datetime

    import typer

    from jobctl.commands.arguments import LabelFilter
    from jobctl.connection.client import Client

FORMATS = ("table", "wide", "json", "yaml", "name")
EXAMPLES = """
  jobctl ls
  jobctl ls -a --status failed --since 24h
  jobctl ls -a -q -l project=demo
  jobctl ls -a --set nightly --status failed
  jobctl ls --json | jq -r '.jobs[].id'
"""

COLUMNS = ("ID", "STATUS", "PHASE", "EXIT", "AGE", "IMAGE")
WIDE = (*COLUMNS, "OWNER", "LABELS", "REASON", "COMMAND")
DROP = ("OWNER", "COMMAND", "LABELS", "REASON", "IMAGE", "AGE", "EXIT", "PHASE")
TEXTS = frozenset({"IMAGE", "LABELS", "REASON", "COMMAND"})
WIDE_TABLE = Table(WIDE, DROP, TEXTS)
TABLE = WIDE_TABLE.only(COLUMNS)
WATCH_EVERY_S = 1.0

Job = dict[str, Any]
Pages = Iterator[tuple[list[Job], bool]]


def ls(
    ctx: typer.Context,
    all_: Annotated[bool, typer.Option("-a", "--all", help="Also list jobs that have ended.")] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Print only ids.")] = False,
    watch: Annotated[
        bool,
        typer.Option(
            "-w",
            "--watch",
            help="Update the list until Ctrl-C; without a terminal, print a line for each change.",
        ),
    ] = False,
    status: Annotated[
        list[str] | None,
        typer.Option(
            "--status", metavar="STATUS[,STATUS]", help=f"Only jobs with this status: {', '.join(STATUSES)}."
        ),
    ] = None,
    label: LabelFilter = None,
    set_: Annotated[
        str | None,
        typer.Option("--set", metavar="SET", help="Only jobs of this set; jobctl sets lists them."),
    ] = None,
    mine: Annotated[bool, typer.Option("--mine", help="Only this user's jobs.")] = False,
    since: Annotated[
        str | None,
        typer.Option(
            "--since",
            metavar="TIME",
            help="Only jobs submitted after this time: 2h (ago), or an RFC 3339 time.",
        ),
    ] = None,
    limit: Annotated[
        int,
        typer.Option(
            "--limit", metavar="N", min=0, show_default=False, help="At most N jobs, the newest. [all]"
        ),
    ] = 0,
) -> None:
    """List the active jobs, and those with a damaged record, newest first.

    The list has no limit without --limit.
    """
    session = session_of(ctx)
    if quiet and session.format not in ("", "name"):
        raise Misuse(f"-q and -o {session.format} contradict each other", hint="give only one of them")
    client = session.client()
    query = filters(all_, status or [], label or [], mine, since, set_)
    style = "name" if quiet else session.format
    if watch:
        _watch(client, query, limit, style)
        return
    count = 0

    def counted() -> Pages:
        nonlocal count
        for page, more in pages(client, query, limit):
            count += len(page)
            yield page, more

    if show(counted(), style):
        output.note(f"only the {count} newest jobs are shown; --limit 0 shows all")
    elif not count and not quiet and sys.stdout.isatty() and not session.format:
        output.note(
            "no matching jobs"
            if all_ or status
            else "no active jobs; jobctl ls -a also lists jobs that have ended"
        )


def show(listed: Pages, style: str) -> bool:
    """Prints jobs page by page in one of the formats; "" is the table. Returns whether the daemon has more jobs."""
    more = False

    def jobs() -> Iterator[Job]:
        nonlocal more
        for page, more in listed:  # noqa: B007 - the last one counts
            yield from page

    if style == "name":
        for job in jobs():
            output.text(f"{job['id']}\n")
    elif style in ("json", "yaml"):
        output.tree_of_list("jobs", jobs(), style, lambda: {"more": more})
    else:
        wide = style == "wide"
        from datetime import UTC, datetime

        from jobctl.output.drawing import TableWriter

        writer = TableWriter(WIDE_TABLE if wide else TABLE)
        for page, more in listed:  # noqa: B007
            writer.add([row(job, datetime.now(UTC), wide=wide) for job in page])
    return more


def row(job: Job, now: datetime, *, wide: bool = False) -> list[str]:
    """Returns one row of the table; `-` means unknown."""
    from jobctl.units import age

    code = job.get("exitCode")
    cells = [
        str(job["id"]), str(job["status"]), str(job.get("phase") or "-"), "-" if code is None else str(code),
        age(job.get("createdAt"), now), str(job.get("image") or "-"),
    ]  # fmt: skip
    if wide:
        command = job.get("command")
        shown = " ".join(map(str, command)) if isinstance(command, list) else str(command or "-")
        cells += [
            str(job.get("owner") or "-"),
            output.labels(job.get("labels") or {}),
            str(job.get("reason") or "-"),
            shown,
        ]
    return cells


def _watch(client: Client, query: dict[str, object], limit: int, style: str) -> None:
    from datetime import UTC, datetime

    def rows() -> list[list[str]]:
        now = datetime.now(UTC)
        return [
            row(job, now, wide=style == "wide") for page, _ in pages(client, query, limit) for job in page
        ]

    try:
        if can_animate() and style in ("", "table", "wide"):
            from jobctl.output.drawing import watch_table

            watch_table(WIDE_TABLE if style == "wide" else TABLE, rows, WATCH_EVERY_S)
        else:
            _watch_plainly(client, query, limit, style)
    except KeyboardInterrupt:
        return


def _watch_plainly(client: Client, query: dict[str, object], limit: int, style: str) -> None:
    """Prints a line for each job that is new or has changed. Reads a job once more when it no longer matches the filter. Keeps only
    the state of each job.
    """
    import json
    import time

    from jobctl.connection.client import job_path

    known: dict[str, tuple[object, ...]] = {}
    while True:
        seen: set[str] = set()
        changed: list[str] = []
        for page, _ in pages(client, query, limit):
            for job in page:
                seen.add(str(job["id"]))
                if known.get(job["id"]) != _state(job):
                    known[job["id"]] = _state(job)
                    changed.append(_line(job, style))
        for line in reversed(changed):
            output.text(line)
        for missing_id in [job_id for job_id in known if job_id not in seen]:
            try:
                last: Job = json.loads(client.get(job_path(missing_id)))
            except NotFound:
                del known[missing_id]
                continue
            if known.pop(missing_id) != _state(last):
                output.text(_line(last, style))
        sys.stdout.flush()
        time.sleep(WATCH_EVERY_S)


def _state(job: Job) -> tuple[object, ...]:
    return (job["status"], job.get("phase"), job.get("exitCode"))


def _line(job: Job, style: str) -> str:
    if style == "json":
        return output.json_text(job, separators=(",", ":")) + "\n"
    if style == "yaml":
        return "---\n" + output.yaml_text(job)
    if style == "name":
        return f"{job['id']}\n"
    from datetime import UTC, datetime

    return output.plain_columns(None, [row(job, datetime.now(UTC), wide=style == "wide")])
