"""`jobctl events`: prints the events of jobs, and with -f follows them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

from jobctl.connection.session import session_of
from jobctl.errors import EndedBySignal, Misuse
from jobctl.output import event_text, output

if TYPE_CHECKING:
    import typer

    from jobctl.commands.arguments import OptionalId
    from jobctl.connection.event_stream import Line

FORMATS = ("json", "yaml", "name")
EXAMPLES = """
  jobctl events -f
  jobctl events @last --json | jq .event.data
  jobctl events --after 1200 -f
"""


def events(
    ctx: typer.Context,
    id: OptionalId = None,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Print new events until Ctrl-C.")] = False,
    job: Annotated[str | None, typer.Option("--job", metavar="ID", help="The same as [ID].")] = None,
    after: Annotated[
        int | None, typer.Option("--after", metavar="SEQ", min=0, help="Only events after this number.")
    ] = None,
) -> None:
    """Print the events of all jobs, or of one, oldest first: number, time, type, job and data."""
    from jobctl.connection.event_stream import stream
    from jobctl.selection.ids import resolve

    session = session_of(ctx)
    if None not in (id, job) and id != job:
        raise Misuse(f"events prints those of one job, not of {id} and {job}")
    client = session.client()
    wanted = id or job
    job_id = None if wanted is None else resolve(client, wanted)
    last = after or 0

    def on_break(why: str) -> None:
        output.note(f"{why}; reconnecting")

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
        of_job = "" if job_id is None else f" {job_id}"
        raise EndedBySignal(2, f"to continue: jobctl events -f --after {last}{of_job}") from None


def summary(line: Line) -> str:
    """Returns one event as a line of columns: number, time, type, job and data."""
    cells = [str(line.get("seq", "-")), *event_text.columns(line.get("event") or {})]
    return output.printable("  ".join(cells).rstrip())
