"""`jobctl pause`: no job starts until `jobctl resume`; with ids, only these jobs are paused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jobctl.connection.session import session_of
from jobctl.errors import JobctlError
from jobctl.job.requests.pausing import request_job_pause, request_pause
from jobctl.output import output
from jobctl.selection.groups import QUEUE
from jobctl.selection.ids import find_each

if TYPE_CHECKING:
    import typer

    from jobctl.commands.arguments import OptionalIds, Running
    from jobctl.connection.session import Session

FORMATS = ("json", "yaml")
EXAMPLES = """
  jobctl pause
  jobctl pause --running
  jobctl pause trainer-3f
"""


def pause(
    ctx: typer.Context,
    ids: OptionalIds = None,
    running: Running = False,
) -> None:
    """Start no job until jobctl resume; with ids, pause only these jobs.

    Without ids, running jobs continue, unless --running is given. A job that is named does not start, or stands still if it runs. The
    timeout of a job that stands still does not run. jobctl group pause pauses one group.
    """
    session = session_of(ctx)
    if ids:
        change_jobs(session, ids, paused=True)
        return
    queue = request_pause(session.client(), QUEUE, paused=True, running=running)
    waiting, active = int(queue["waiting"]), int(queue["running"])
    rest = (
        f"{active} running {'job stands still' if active == 1 else 'jobs stand still'}"
        if running
        else (f"{active} running {'job continues' if active == 1 else 'jobs continue'}")
    )
    show_queue(session, queue, f"no job starts until jobctl resume: {waiting} {_wait(waiting)}, {rest}")


def change_jobs(session: Session, ids: list[str], *, paused: bool) -> None:
    """Pauses or resumes the jobs that the ids name, and prints those that it has changed. Raises the first failure at the end."""
    client = session.client()
    jobs, failures = find_each(client, ids)
    done: list[str] = []
    for job in jobs:
        try:
            request_job_pause(client, str(job["id"]), paused=paused)
            done.append(str(job["id"]))
        except JobctlError as error:
            failures.append(error)
    output.ids("paused" if paused else "resumed", done, session.format)
    output.fail(failures, as_json=session.format == "json")


def show_queue(session: Session, queue: dict[str, Any], sentence: str) -> None:
    """Prints the state of the queue: as a tree, or as a sentence on stderr."""
    if session.format:
        output.tree(queue, session.format)
    else:
        output.note(sentence)


def _wait(count: int) -> str:
    return "job waits" if count == 1 else "jobs wait"
