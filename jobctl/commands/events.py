"""`jobctl events`: what has happened to jobs, and with -f what happens."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from jobctl.connection.session import of
from jobctl.errors import Left
from jobctl.output import event_text, output

if TYPE_CHECKING:
    from jobctl.connection.feed import Line

FORMATS = ("json", "yaml", "name")
EXAMPLES = """
  jobctl events -f
  jobctl events --job @last --json | jq .event.data
  jobctl events --after 1200 -f
"""


def events(
    ctx: typer.Context,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on until Ctrl-C.")] = False,
    job: Annotated[str | None, typer.Option("--job", metavar="ID", help="Only of this job.")] = None,
    after: Annotated[
        int | None, typer.Option("--after", metavar="SEQ", min=0, help="Only what came after this number.")
    ] = None,
) -> None:
    """Print the events of all jobs, oldest first: number, time, type, job, what it says."""
    from jobctl.connection.feed import stream
    from jobctl.job.ids import resolve

    session = of(ctx)
    client = session.client()
    job_id = None if job is None else resolve(client, job)
    last = after or 0

    def on_break(why: str) -> None:
        output.note(f"{why}; trying again")

    try:
        for line in stream(client, follow, job_id, after, on_break):
            last = line.get("seq", last)
            if session.format == "json":
                output.json_line(line)
            elif session.format == "yaml":
                output.text("---\n")
                output.tree(line, "yaml")
            elif session.format == "name":
                output.text(f"{line['event'].get('id')}\n")
            else:
                output.text(summary(line) + "\n")
            if follow:
                sys.stdout.flush()
    except KeyboardInterrupt:
        raise Left(2, f"come back with: jobctl events -f --after {last}") from None


def summary(line: "Line") -> str:
    """Returns one event in a line of columns: number, time, type, job, and what its data says."""
    cells = [str(line.get("seq", "-")), *event_text.columns(line.get("event") or {})]
    return output.printable("  ".join(cells).rstrip())
