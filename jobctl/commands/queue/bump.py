"""`jobctl bump`: puts waiting jobs before all others, or changes their priority."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

from jobctl.connection.client import job_path
from jobctl.connection.session import session_of
from jobctl.errors import Conflict, JobctlError
from jobctl.output import output
from jobctl.selection.ids import find_each

if TYPE_CHECKING:
    import typer

    from jobctl.commands.arguments import Ids
    from jobctl.connection.client import Client

FORMATS = ("json", "yaml", "name")
EXAMPLES = """
  jobctl bump urgent-1
  jobctl bump first second third
  jobctl bump --priority -10 whenever
"""
TIMEOUT_S = 30.0


def bump(
    ctx: typer.Context,
    ids: Ids,
    priority: Annotated[
        int | None,
        typer.Option(
            "--priority",
            metavar="N",
            show_default=False,
            help="Set this priority instead, from -100 to 100; jobs of one priority keep their order.",
        ),
    ] = None,
) -> None:
    """Put waiting jobs before all other waiting jobs, in the given order; with --priority, set their priority.

    A job before all others still waits for what it needs: a free place, its group, memory, the jobs in its --after.
    """
    session = session_of(ctx)
    client = session.client()
    jobs, failures = find_each(client, ids)
    body = b"{}" if priority is None else json.dumps({"priority": priority}).encode()
    done: set[str] = set()
    # Each job goes before all that went there earlier, so the job that is to be first is the last one.
    for job in jobs if priority is not None else reversed(jobs):
        try:
            _prioritize(client, job, body)
            done.add(str(job["id"]))
        except JobctlError as error:
            failures.append(error)
    output.ids("bumped", [str(job["id"]) for job in jobs if job["id"] in done], session.format)
    output.fail(failures, as_json=session.format == "json")


def _prioritize(client: Client, job: dict[str, Any], body: bytes) -> None:
    try:
        client.call("POST", job_path(str(job["id"]), "priority"), None, body, None, TIMEOUT_S)
    except Conflict as error:
        if error.code != "not-waiting":
            raise
        status = str(job["status"])
        state = str(job.get("phase") or status) if status == "running" else status
        why = f"does not wait: it is {state}" if job.get("phase") != "queued" else "has just started"
        hint = "jobctl ls shows the positions of the jobs that wait"
        raise Conflict(f"job {job['id']!r} {why}", hint=hint, code=error.code) from None
