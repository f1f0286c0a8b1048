"""`jobctl prune`: removes jobs that have ended, with all that is kept of them."""

import json
import sys
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jobctl.connection.client import job_path
from jobctl.connection.session import of
from jobctl.errors import JobctlError, Misuse, NotFound
from jobctl.job.listing import TERMINAL, each, filters
from jobctl.job.units import parse_time, seconds_of
from jobctl.output import output

if TYPE_CHECKING:
    from jobctl.connection.client import Client

FORMATS = ("json", "yaml", "name")
EXAMPLES = """
  jobctl prune --dry-run
  jobctl prune --older-than 24h --status completed
  jobctl prune -f -l project=demo
"""
ENDED = TERMINAL
MOST_NAMED = 10

Job = dict[str, Any]


def prune(
    ctx: typer.Context,
    older_than: Annotated[
        str | None,
        typer.Option("--older-than", metavar="DURATION", help="Only those that ended so long ago: 24h."),
    ] = None,
    status: Annotated[
        list[str] | None,
        typer.Option("--status", metavar="STATUS[,STATUS]", help=f"Only these: {', '.join(ENDED)}."),
    ] = None,
    label: Annotated[
        list[str] | None, typer.Option("-l", "--label", metavar="KEY=VALUE", help="Only with this label.")
    ] = None,
    mine: Annotated[bool, typer.Option("--mine", help="Only this user's jobs.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only print the ids of those that would go.")
    ] = False,
    force: Annotated[bool, typer.Option("-f", "--yes", help="Do not ask.")] = False,
) -> None:
    """Remove jobs that have ended, with their logs, files and history. Jobs under way are never touched."""
    session = of(ctx)
    wanted = statuses_of(status or [])
    try:
        oldest = None if older_than is None else datetime.now(UTC) - timedelta(seconds=seconds_of(older_than))
    except (ValueError, OverflowError) as error:
        raise Misuse(f"--older-than: {error}") from None
    client = session.client()
    query = filters(True, wanted, label or [], mine, None)
    chosen = ended_before(map(_kept, each(client, query)), oldest)
    quiet = session.format in ("json", "yaml", "name")
    if chosen and not dry_run and not force:
        _ask(chosen)
    done = [str(job["id"]) for job in chosen if dry_run or _remove(client, job)]
    if session.format in ("json", "yaml"):
        output.tree({"dryRun": dry_run, "removed": done}, session.format)
    else:
        output.text("".join(f"{job_id}\n" for job_id in done))
    if not quiet:
        output.note(f"{'would remove' if dry_run else 'removed'} {_jobs(len(done))}")


def statuses_of(given: list[str]) -> list[str]:
    """Returns the statuses to remove; all ends where none is given.

    Raises:
        Misuse: one that a job has before its end.
    """
    wanted = [part for text in given for part in text.split(",") if part]
    for part in wanted:
        if part not in ENDED:
            raise Misuse(f"--status {part!r} is not an end", hint=f"use one of {', '.join(ENDED)}")
    return wanted or list(ENDED)


def ended_before(jobs: Iterable[Job], moment: datetime | None) -> list[Job]:
    """Returns the newest job of each id, where it ended before `moment` (None: whenever). Pure.

    An earlier job of the same id goes with the newest, never on its own: ids are what is removed.
    """
    newest: dict[str, Job] = {}
    for job in jobs:
        newest.setdefault(str(job["id"]), job)
    found = []
    for job in reversed(newest.values()):
        ended = parse_time(job.get("finishedAt"))
        if moment is None or (ended is not None and ended <= moment):
            found.append(job)
    return found


def _kept(job: Job) -> Job:
    """What is needed of a job that is listed: a history may be long."""
    return {key: job.get(key) for key in ("id", "uid", "finishedAt")}


def _remove(client: "Client", job: Job) -> bool:
    """Removes a job where its id still means the job that was listed; a new one may run under it by now."""
    try:
        now: Job = json.loads(client.get(job_path(str(job["id"]))))
        if now.get("uid") != job.get("uid") or now["status"] not in ENDED:
            return False
        client.call("DELETE", job_path(str(job["id"])))
    except NotFound:
        return False  # somebody else was faster
    return True


def _ask(chosen: list[Job]) -> None:
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise Misuse(
            f"{_jobs(len(chosen))} would be removed, and there is no terminal to ask on",
            hint="jobctl prune -f, or look first: jobctl prune --dry-run",
        )
    names = ", ".join(str(job["id"]) for job in chosen[:MOST_NAMED])
    more = f" and {len(chosen) - MOST_NAMED} more" if len(chosen) > MOST_NAMED else ""
    sys.stderr.write(
        output.printable(f"Remove {_jobs(len(chosen))} with logs and files: {names}{more}? [y/N] ")
    )
    sys.stderr.flush()
    try:
        said = sys.stdin.readline()
    except KeyboardInterrupt:
        sys.stderr.write("\n")
        raise
    if said.strip().lower() not in ("y", "yes"):
        raise JobctlError("nothing was removed", code="declined")


def _jobs(count: int) -> str:
    return f"{count} job{'' if count == 1 else 's'}"
