"""`jobctl ls`: lists the active jobs, or with -a all jobs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Annotated, Any

from jobctl.connection.session import session_of
from jobctl.errors import Misuse, NotFound
from jobctl.output import output
from jobctl.output.job_table import TABLE, WIDE_TABLE, row, table_of
from jobctl.output.output import can_animate
from jobctl.selection.listing import STATUSES, filters, pages

if TYPE_CHECKING:
    import typer

    from jobctl.commands.arguments import LabelFilter
    from jobctl.connection.client import Client
    from jobctl.output.table import Table

FORMATS = ("table", "wide", "json", "yaml", "name")
EXAMPLES = """
  jobctl ls
  jobctl ls -a --status failed --since 24h
  jobctl ls -a -q -l project=demo
  jobctl ls --group gpu
  jobctl ls -a --set nightly --status failed
  jobctl ls --json | jq -r '.jobs[].id'
"""

DEFAULT_GROUP = "default"
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
    group: Annotated[
        str | None, typer.Option("--group", metavar="NAME", help="Only jobs of this group.")
    ] = None,
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

    The list has no limit without --limit. The table has the position in the queue, the group and the set if one of the first jobs has them;
    -o wide always has them.
    """
    session = session_of(ctx)
    if quiet and session.format not in ("", "name"):
        raise Misuse(f"-q and -o {session.format} contradict each other", hint="give only one of them")
    if group == "":
        raise Misuse("--group needs the name of a group", hint="a variable of the shell may be empty")
    client = session.client()
    query = filters(all_, status or [], label or [], mine, since, set_)
    style = "name" if quiet else session.format

    def listed() -> Pages:
        return pages(client, query, limit) if group is None else _of_group(pages(client, query), group, limit)

    if watch:
        _watch(client, listed, style)
        return
    count = 0

    def counted() -> Pages:
        nonlocal count
        for page, more in listed():
            count += len(page)
            yield page, more

    if show(counted(), style):
        output.note(f"only the {count} newest jobs are shown; --limit 0 shows all")
    elif not count and not quiet and sys.stdout.isatty() and not session.format:
        output.note(
            "no matching jobs"
            if all_ or status or group
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

        shape = table_of((), wide=wide)
        writer = None
        for page, more in listed:  # noqa: B007
            if page and writer is None:
                shape = table_of(page, wide=wide)
                writer = TableWriter(shape)
            if writer is not None:
                writer.add([row(job, datetime.now(UTC), shape) for job in page])
        if writer is None:
            TableWriter(shape).add(())
    return more


def _of_group(listed: Pages, group: str, limit: int) -> Pages:
    """Yields the pages with only the jobs of a group, at most `limit` jobs (0: all)."""
    left = limit
    for page, more in listed:
        found = [job for job in page if (job.get("group") or DEFAULT_GROUP) == group]
        if limit and len(found) >= left:
            yield found[:left], more or len(found) > left
            return
        left -= len(found)
        yield found, more


def _watch(client: Client, listed: Callable[[], Pages], style: str) -> None:
    from datetime import UTC, datetime

    def contents() -> tuple[Table, list[list[str]]]:
        now = datetime.now(UTC)
        jobs = [job for page, _ in listed() for job in page]
        shape = table_of(jobs, wide=style == "wide")
        return shape, [row(job, now, shape) for job in jobs]

    if can_animate() and style in ("", "table", "wide"):
        from jobctl.output.live.live_table import watch_table

        watch_table(contents, WATCH_EVERY_S)
    else:
        _watch_plainly(client, listed, style)


def _watch_plainly(client: Client, listed: Callable[[], Pages], style: str) -> None:
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
        for page, _ in listed():
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

    return output.plain_columns(None, [row(job, datetime.now(UTC), WIDE_TABLE if style == "wide" else TABLE)])
