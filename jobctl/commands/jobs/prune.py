"""`jobctl prune`: removes jobs that have ended, with their logs, files and history."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

from jobctl.connection.client import job_path
from jobctl.connection.session import session_of
from jobctl.errors import Conflict, JobctlError, Misuse, NotFound
from jobctl.flag_words import words
from jobctl.output import output
from jobctl.selection.listing import TERMINAL, each, filters
from jobctl.units import parse_time, seconds_of

if TYPE_CHECKING:
    import typer

    from jobctl.commands.arguments import LabelFilter
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
        typer.Option(
            "--older-than", metavar="DURATION", help="Only jobs that ended at least this long ago: 24h."
        ),
    ] = None,
    status: Annotated[
        list[str] | None,
        typer.Option(
            "--status", metavar="STATUS[,STATUS]", help=f"Only jobs with this status: {', '.join(ENDED)}."
        ),
    ] = None,
    label: LabelFilter = None,
    mine: Annotated[bool, typer.Option("--mine", help="Only this user's jobs.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only print the ids of the jobs to remove.")
    ] = False,
    force: Annotated[bool, typer.Option("-f", "--yes", help="Do not ask for confirmation.")] = False,
) -> None:
    """Remove jobs that have ended, with their logs, files and history. Active jobs are never removed."""
    session = session_of(ctx)
    statuses = statuses_of(status or [])
    try:
        oldest = None if older_than is None else datetime.now(UTC) - timedelta(seconds=seconds_of(older_than))
    except (ValueError, OverflowError) as error:
        raise Misuse(f"--older-than: {error}") from None
    client = session.client()
    query = filters(True, statuses, label or [], mine, None)
    chosen = ended_before(map(_kept, each(client, query)), oldest)
    quiet = session.format in ("json", "yaml", "name")
    if chosen and not dry_run and not force:
        _ask(chosen)
    done: list[str] = []
    with output.noting_interrupt("removed", done):
        for job in chosen:
            if dry_run or _remove(client, job):
                done.append(str(job["id"]))  # noqa: PERF401 - Ctrl-C leaves a part
    if session.format in ("json", "yaml"):
        output.tree({"dryRun": dry_run, "removed": done}, session.format)
    else:
        output.text("".join(f"{job_id}\n" for job_id in done))
    if not quiet:
        output.note(f"{'would remove' if dry_run else 'removed'} {_jobs(len(done))}")


def statuses_of(given: list[str]) -> list[str]:
    """Returns the statuses to remove; by default all final ones.

    Raises:
        Misuse: a status is not final, or empty.
    """
    statuses = words("--status", given, "a final status")
    for name in statuses:
        if name not in ENDED:
            raise Misuse(f"--status {name!r} is not a final status", hint=f"use one of {', '.join(ENDED)}")
    return statuses or list(ENDED)


def ended_before(jobs: Iterable[Job], moment: datetime | None) -> list[Job]:
    """Returns the newest job of each id that ended before `moment` (None: at any time). Pure.

    jobd removes ids: an earlier job is removed together with the newest one of the same id.
    """
    newest: dict[str, Job] = {}
    for job in jobs:
        newest.setdefault(str(job["id"]), job)
    result = []
    for job in reversed(newest.values()):
        ended = parse_time(job.get("finishedAt"))
        if moment is None or (ended is not None and ended <= moment):
            result.append(job)
    return result


def _kept(job: Job) -> Job:
    """Returns the needed fields of a listed job, since a history may be long."""
    return {key: job.get(key) for key in ("id", "uid", "finishedAt")}


def _remove(client: Client, job: Job) -> bool:
    """Removes a job, unless its id names another job by now."""
    try:
        now: Job = json.loads(client.get(job_path(str(job["id"]))))
        if now.get("uid") != job.get("uid") or now["status"] not in ENDED:
            return False
        client.call("DELETE", job_path(str(job["id"])))
    except NotFound:
        return False  # removed by someone else
    except Conflict as error:
        if error.code != "needed":
            raise
        output.note(error.message)  # another job takes files of its workspace
        return False
    return True


def _ask(chosen: list[Job]) -> None:
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise Misuse(
            f"{_jobs(len(chosen))} would be removed, and there is no terminal to ask on",
            hint="use jobctl prune -f, or list the jobs first: jobctl prune --dry-run",
        )
    names = ", ".join(str(job["id"]) for job in chosen[:MOST_NAMED])
    more = f" and {len(chosen) - MOST_NAMED} more" if len(chosen) > MOST_NAMED else ""
    sys.stderr.write(
        output.printable(f"Remove {_jobs(len(chosen))} with logs and files: {names}{more}? [y/N] ")
    )
    sys.stderr.flush()
    try:
        answer = sys.stdin.readline()
    except KeyboardInterrupt:
        sys.stderr.write("\n")
        raise
    if answer.strip().lower() not in ("y", "yes"):
        raise JobctlError("nothing was removed", code="declined")


def _jobs(count: int) -> str:
    return f"{count} job{'' if count == 1 else 's'}"
