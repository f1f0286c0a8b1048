"""`jobctl ls`: the jobs that are under way, or with -a all that are known."""

import json
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jobctl.connection.session import of
from jobctl.errors import Misuse, NotFound
from jobctl.job.listing import STATUSES, filters, pages
from jobctl.output import output
from jobctl.output.output import can_animate
from jobctl.output.table import Table

if TYPE_CHECKING:
    from jobctl.connection.client import Client

FORMATS = ("table", "wide", "json", "yaml", "name")
EXAMPLES = """
  jobctl ls
  jobctl ls -a --status failed --since 24h
  jobctl ls -a -q -l project=demo
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
    all_: Annotated[bool, typer.Option("-a", "--all", help="Also jobs that have ended.")] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Only ids.")] = False,
    watch: Annotated[
        bool, typer.Option("-w", "--watch", help="Keep watching; off a terminal, a line a change.")
    ] = False,
    status: Annotated[
        list[str] | None,
        typer.Option("--status", metavar="STATUS[,STATUS]", help=f"Only these: {', '.join(STATUSES)}."),
    ] = None,
    label: Annotated[
        list[str] | None, typer.Option("-l", "--label", metavar="KEY=VALUE", help="Only with this label.")
    ] = None,
    mine: Annotated[bool, typer.Option("--mine", help="Only this user's jobs.")] = False,
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="TIME", help="Only those submitted since: 2h, or an RFC 3339 time."),
    ] = None,
    limit: Annotated[
        int,
        typer.Option(
            "--limit", metavar="N", min=0, show_default=False, help="At most so many, newest first. [all]"
        ),
    ] = 0,
) -> None:
    """List the jobs that are under way, and those whose record cannot be read, newest first.

    All are listed, however many there are; --limit sets an end.
    """
    session = of(ctx)
    if quiet and session.format not in ("", "name"):
        raise Misuse(f"-q and -o {session.format} contradict each other", hint="give one of the two")
    client = session.client()
    query = filters(all_, status or [], label or [], mine, since)
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
        output.note(f"only the {count} newest are shown; --limit 0 shows all")
    elif not count and not quiet and sys.stdout.isatty() and not session.format:
        output.note(
            "no jobs match"
            if all_ or status
            else "no jobs are under way; jobctl ls -a lists those that have ended"
        )


def show(found: Pages, style: str) -> bool:
    """Prints jobs page by page in one of the formats; "" is the table. Returns whether there are more than were asked for."""
    more = False

    def jobs() -> Iterator[Job]:
        nonlocal more
        for page, more in found:  # noqa: B007 - the last one counts
            yield from page

    if style == "name":
        for job in jobs():
            output.text(f"{job['id']}\n")
    elif style in ("json", "yaml"):
        output.tree_of_list("jobs", jobs(), style, lambda: {"more": more})
    else:
        wide = style == "wide"
        from jobctl.output.drawing import TableWriter

        writer = TableWriter(WIDE_TABLE if wide else TABLE)
        for page, more in found:  # noqa: B007
            writer.add([row(job, datetime.now(UTC), wide=wide) for job in page])
    return more


def row(job: Job, now: datetime, *, wide: bool = False) -> list[str]:
    """Returns one line of the table; `-` stands for what is unknown."""
    from jobctl.job.units import age

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


def _watch(client: "Client", query: dict[str, object], limit: int, style: str) -> None:
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


def _watch_plainly(client: "Client", query: dict[str, object], limit: int, style: str) -> None:
    """One line for each job that is new or has changed; a job that leaves the filter is looked at once more. Of a job no more is
    kept than its state.
    """
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
        for gone in [job_id for job_id in known if job_id not in seen]:
            try:
                last: Job = json.loads(client.get(job_path(gone)))
            except NotFound:
                del known[gone]
                continue
            if known.pop(gone) != _state(last):
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
    return output.plain_columns(None, [row(job, datetime.now(UTC), wide=style == "wide")])
