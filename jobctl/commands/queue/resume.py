"""`jobctl resume`: jobs start again after `jobctl pause`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobctl.commands.queue.pause import change_jobs, show_queue
from jobctl.connection.session import session_of
from jobctl.job.requests.pausing import request_pause
from jobctl.selection.groups import QUEUE

if TYPE_CHECKING:
    import typer

    from jobctl.commands.arguments import OptionalIds

FORMATS = ("json", "yaml")
EXAMPLES = """
  jobctl resume
  jobctl resume trainer-3f
"""


def resume(
    ctx: typer.Context,
    ids: OptionalIds = None,
) -> None:
    """Let jobs start again after jobctl pause; with ids, resume only these jobs.

    Jobs that stand still go on. Groups that are paused stay paused: jobctl group resume.
    """
    session = session_of(ctx)
    if ids:
        change_jobs(session, ids, paused=False)
        return
    queue = request_pause(session.client(), QUEUE, paused=False)
    paused = [str(group["name"]) for group in queue["groups"] if group.get("paused")]
    rest = f"; these groups stay paused: {', '.join(paused)}" if paused else ""
    show_queue(
        session, queue, f"jobs start again: {queue['waiting']} waiting, {queue['running']} running{rest}"
    )
