"""`jobctl ls`: the jobs that are under way, or with -a all that are known."""

import json
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jobctl import output
from jobctl.errors import Misuse
from jobctl.session import of

if TYPE_CHECKING:
    from jobctl.client import Client

EXAMPLES = """
  jobctl ls
  jobctl ls -a --status failed --since 24h
  jobctl ls -a -q -l project=demo
  jobctl ls --json | jq -r '.jobs[].id'
"""

ACTIVE = ("accepted", "running")
STATUSES = (*ACTIVE, "completed", "failed", "cancelled", "unreadable")
COLUMNS = ("ID", "STATUS", "PHASE", "EXIT", "AGE", "IMAGE")
WIDE = (*COLUMNS, "OWNER", "LABELS", "REASON", "COMMAND")
PAGE = 200
WATCH_EVERY_S = 1.0

Job = dict[str, Any]


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
        int, typer.Option("--limit", metavar="N", min=0, help="At most so many, newest first; 0: all.")
    ] = 100,
) -> None:
    """List the jobs that are under way, newest first."""
    session = of(ctx)
    client = session.client()
    query = filters(all_, status or [], label or [], mine, since)
    style = "name" if quiet else session.format
    if watch:
        _watch(client, query, limit, style)
        return
    jobs, more = pages(client, query, limit)
    show(jobs, style)
    if more:
        output.note(f"only the {len(jobs)} newest are shown; --limit 0 shows all")
    elif not jobs and not quiet and sys.stdout.isatty() and not session.format:
        output.note(
            "no jobs match"
            if all_ or status
            else "no jobs are under way; jobctl ls -a lists those that have ended"
        )


def filters(
    all_: bool, statuses: list[str], labels: list[str], mine: bool, since: str | None
) -> dict[str, object]:
    """Returns the query for the flags.

    Raises:
        Misuse: an unknown status, a label that is no pair, a time that is none.
    """
    wanted = [part for text in statuses for part in text.split(",") if part]
    for part in wanted:
        if part not in STATUSES:
            raise Misuse(f"--status {part!r} is not a status", hint=f"use one of {', '.join(STATUSES)}")
    for pair in labels:
        if "=" not in pair.strip("="):
            raise Misuse(f"--label {pair!r} must be KEY=VALUE")
    query: dict[str, object] = {}
    if wanted or not all_:
        query["status"] = ",".join(wanted or ACTIVE)
    if labels:
        query["label"] = labels
    if mine:
        query["owner"] = "me"
    if since is not None:
        from jobctl.quantities import moment_before

        try:
            query["since"] = moment_before(since, datetime.now(UTC)).isoformat().replace("+00:00", "Z")
        except ValueError as error:
            raise Misuse(f"--since: {error}") from None
    return query


def pages(client: "Client", query: dict[str, object], limit: int) -> tuple[list[Job], bool]:
    """Returns the jobs that fit, newest first, and whether there are more than `limit` (0: no limit)."""
    jobs: list[Job] = []
    cursor: object = None
    while True:
        size = min(PAGE, limit - len(jobs)) if limit else PAGE
        page = json.loads(client.get("/v1/jobs", {**query, "limit": size, "cursor": cursor}))
        jobs.extend(page["jobs"])
        cursor = page.get("next")
        if not cursor or (limit and len(jobs) >= limit):
            return jobs, bool(cursor)


def show(jobs: list[Job], style: str) -> None:
    """Prints jobs in one of the formats; "" is the table that fits where stdout goes."""
    if style == "name":
        output.text("".join(f"{job['id']}\n" for job in jobs))
    elif style in ("json", "yaml"):
        output.tree({"jobs": jobs}, style)
    else:
        wide = style == "wide"
        output.table(
            WIDE if wide else COLUMNS, [row(job, datetime.now(UTC), wide=wide) for job in jobs], format=style
        )


def row(job: Job, now: datetime, *, wide: bool = False) -> list[str]:
    """Returns one line of the table; `-` stands for what is unknown."""
    from jobctl.quantities import age

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
    import time

    def now_rows() -> list[list[str]]:
        return [row(job, datetime.now(UTC), wide=style == "wide") for job in pages(client, query, limit)[0]]

    def wait() -> bool:
        time.sleep(WATCH_EVERY_S)
        return True

    try:
        if output.can_animate() and style in ("", "table", "wide"):
            output.watch_table(WIDE if style == "wide" else COLUMNS, now_rows, wait)
            return
        _watch_plainly(client, query, limit, style, wait)
    except KeyboardInterrupt:
        return


def _watch_plainly(client: "Client", query: dict[str, object], limit: int, style: str, wait: Any) -> None:
    """One line for each job that is new or has changed; a job that leaves the filter is looked at once more."""
    from jobctl.client import job_path
    from jobctl.errors import NotFound

    known: dict[str, tuple[object, ...]] = {}
    while True:
        jobs = {str(job["id"]): job for job in pages(client, query, limit)[0]}
        for gone in [job_id for job_id in known if job_id not in jobs]:
            del known[gone]
            try:
                jobs[gone] = json.loads(client.get(job_path(gone)))
            except NotFound:
                continue
        for job_id, job in reversed(jobs.items()):
            state = (job["status"], job.get("phase"), job.get("exitCode"))
            if known.get(job_id) != state:
                known[job_id] = state
                if style == "json":
                    output.json_line(job)
                elif style == "name":
                    output.text(f"{job_id}\n")
                else:
                    output.text(
                        output.plain_columns(None, [row(job, datetime.now(UTC), wide=style == "wide")])
                    )
        known = {
            job_id: state
            for job_id, state in known.items()
            if jobs[job_id]["status"] in ACTIVE or "status" not in query
        }
        sys.stdout.flush()
        wait()
