"""`jobctl rm`: removes jobs, their containers, files and logs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from jobctl.connection.client import job_path
from jobctl.connection.session import session_of
from jobctl.errors import Conflict, JobctlError
from jobctl.output import output
from jobctl.selection.ids import find_whole
from jobctl.selection.listing import ACTIVE

if TYPE_CHECKING:
    import typer

FORMATS = ("json", "yaml", "name")
EXAMPLES = """
  jobctl rm @last
  jobctl rm -f still-running
  jobctl rm $(jobctl ls -a -q --status failed)
"""


def rm(
    ctx: typer.Context,
    ids: Annotated[list[str], typer.Argument(metavar="ID...", help="Whole ids, or @last.")],
    force: Annotated[
        bool, typer.Option("-f", "--force", help="Also remove active jobs, after cancelling them.")
    ] = False,
) -> None:
    """Remove jobs with their containers, workspaces and logs.

    A prefix of an id is refused, and then no job is removed.
    """
    session = session_of(ctx)
    client = session.client()
    jobs, failures = find_whole(client, ids)
    done: list[str] = []
    with output.noting_interrupt("removed", done):
        for job in jobs:
            try:
                if job["status"] in ACTIVE and not force:
                    raise Conflict(
                        f"{job['id']} is active",
                        hint=f"use jobctl cancel {job['id']}, or jobctl rm -f {job['id']}",
                    )
                client.call("DELETE", job_path(job["id"]))
                done.append(job["id"])
            except JobctlError as error:
                failures.append(error)
    output.ids("removed", done, session.format)
    output.fail(failures, as_json=session.format == "json")
