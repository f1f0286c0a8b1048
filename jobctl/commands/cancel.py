"""`jobctl cancel`: ends jobs; their records, logs and files stay."""

import math
from typing import Annotated

import typer

from jobctl.connection.session import of
from jobctl.errors import JobctlError, Misuse
from jobctl.job.attach import cancel as ask
from jobctl.job.ids import chosen_whole
from jobctl.job.listing import TERMINAL
from jobctl.job.units import seconds_of
from jobctl.output import output

FORMATS = ("json", "yaml", "name")
EXAMPLES = """
  jobctl cancel @last
  jobctl cancel --reason 'wrong data set' trainer-3f
  jobctl cancel --signal INT --grace 30s notebook-1
  jobctl cancel --grace 0 stuck-job
  jobctl cancel -l sweep=7
"""
SIGNALS = ("TERM", "INT", "QUIT", "HUP", "USR1", "USR2", "KILL")


def cancel(
    ctx: typer.Context,
    ids: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ID]...", help="Whole ids, or @last.", show_default=False),
    ] = None,
    label: Annotated[
        list[str] | None,
        typer.Option("-l", "--label", metavar="KEY=VALUE", help="All jobs under way with this label."),
    ] = None,
    grace: Annotated[
        str | None,
        typer.Option(
            "--grace", metavar="DURATION", help="Time to end by itself before it is killed; 0: none. [10s]"
        ),
    ] = None,
    signal: Annotated[
        str | None,
        typer.Option("--signal", metavar="NAME", help=f"What it gets first: {', '.join(SIGNALS)}. [TERM]"),
    ] = None,
    reason: Annotated[
        str | None, typer.Option("--reason", metavar="TEXT", help="Why; kept with the job.")
    ] = None,
) -> None:
    """End jobs and keep their records.

    The beginning of an id is not enough here; where one is given, nothing is cancelled.
    """
    session = of(ctx)
    try:
        grace_s = None if grace is None else math.ceil(seconds_of(grace))
    except ValueError as error:
        raise Misuse(f"--grace: {error}") from None
    signal_name = None if signal is None else signal_of(signal)
    client = session.client()
    jobs, failures = chosen_whole(client, ids, label)
    done: list[str] = []
    for job in jobs:
        try:
            if job["status"] in TERMINAL:
                output.note(f"{job['id']} had ended already: {job['status']}")
                continue
            ask(client, job["id"], why=reason, signal_name=signal_name, grace_s=grace_s)
            done.append(job["id"])
        except JobctlError as error:
            failures.append(error)
    output.ids("cancelling", done, session.format)
    output.fail(failures, as_json=session.format == "json")


def signal_of(text: str) -> str:
    """Returns the full name of a signal that a worker may get: term, TERM and SIGTERM are SIGTERM.

    Raises:
        Misuse: it is none of `SIGNALS`.
    """
    name = text.upper().removeprefix("SIG")
    if name not in SIGNALS:
        raise Misuse(f"--signal {text!r} is not one of {', '.join(SIGNALS)}", field="signal")
    return f"SIG{name}"
