"""`jobctl top`: a live table of the running and waiting jobs, with keys."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

from jobctl.connection.session import session_of
from jobctl.errors import Misuse
from jobctl.output import output
from jobctl.output.output import can_animate
from jobctl.units import seconds_of

if TYPE_CHECKING:
    import typer

FORMATS = ("table", "json", "yaml", "name")
EXAMPLES = """
  jobctl top
  jobctl top --once
  jobctl top --interval 5s
"""


def top(
    ctx: typer.Context,
    once: Annotated[
        bool, typer.Option("--once", help="Print the table once, as without a terminal.")
    ] = False,
    interval: Annotated[
        str, typer.Option("--interval", metavar="DURATION", help="Time between two updates.")
    ] = "1s",
) -> None:
    """Watch the running and waiting jobs, and those that have just ended.

    Keys: the arrows, j and k select a job; c cancels the job after a question; p pauses or resumes the job, P all jobs; l shows the
    job's log, and Ctrl-C returns; q or Ctrl-C quit.

    TIME: how long a job waits, runs or ran. CPU: recent use in cores (with --once the average), and the limit. MEMORY: peak use, and
    the limit. ACTIVITY: the last line of the log, or what the job waits for.
    """
    session = session_of(ctx)
    try:
        every_s = seconds_of(interval)
    except ValueError as error:
        raise Misuse(f"--interval: {error}") from None
    if not 0.1 <= every_s <= 3600:
        raise Misuse("--interval must be from 100ms to 1h")
    client = session.client()
    if session.format not in ("json", "yaml", "name") and can_animate() and not once:
        from jobctl.top.live import watch

        watch(client, every_s)
        return
    from jobctl.top.active_jobs import poll, summary

    now = datetime.now(UTC)
    jobs, counts = poll(client, now)
    if session.format in ("json", "yaml"):
        output.tree({"jobs": jobs}, session.format)
    elif session.format == "name":
        output.text("".join(f"{job['id']}\n" for job in jobs))
    else:
        from jobctl.output.drawing import table
        from jobctl.top.rows import TABLE, row

        table(TABLE, [row(job, now) for job in jobs])
        output.note(summary(counts))
