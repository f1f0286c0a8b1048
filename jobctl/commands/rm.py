"""`jobctl rm`: removes jobs, their containers, files and logs."""

from typing import Annotated

import typer

from jobctl import output
from jobctl.client import job_path
from jobctl.errors import Conflict, JobctlError
from jobctl.ids import find
from jobctl.session import of

EXAMPLES = """
  jobctl rm @last
  jobctl rm -f still-running
  jobctl rm $(jobctl ls -a -q --status failed)
"""


def rm(
    ctx: typer.Context,
    ids: Annotated[
        list[str], typer.Argument(metavar="ID...", help="Ids, unique prefixes of them, or @last.")
    ],
    force: Annotated[
        bool, typer.Option("-f", "--force", help="Also jobs that are under way: they are cancelled first.")
    ] = False,
) -> None:
    """Remove jobs with all that belongs to them: containers, workspace, log."""
    session = of(ctx)
    client = session.client()
    failures: list[JobctlError] = []
    done: list[str] = []
    for text in ids:
        try:
            job = find(client, text)
            if job["status"] in ("accepted", "running") and not force:
                raise Conflict(
                    f"{job['id']} is under way",
                    hint=f"jobctl cancel {job['id']}, or: jobctl rm -f {job['id']}",
                )
            client.call("DELETE", job_path(job["id"]))
            done.append(job["id"])
        except JobctlError as error:
            failures.append(error)
    if session.format in ("json", "yaml"):
        output.tree({"removed": done}, session.format)
    else:
        output.text("".join(f"{job_id}\n" for job_id in done))
    for failure in failures[1:]:
        output.error(failure, as_json=session.format == "json")
    if failures:
        raise failures[0]
