"""`jobctl cancel`: ends jobs; their records, logs and files stay."""

import math
from typing import Annotated

import typer

from jobctl import output
from jobctl.attach import cancel as ask
from jobctl.errors import JobctlError, Misuse
from jobctl.ids import find
from jobctl.quantities import seconds_of
from jobctl.session import of

EXAMPLES = """
  jobctl cancel @last
  jobctl cancel --reason 'wrong data set' trainer-3f
  jobctl cancel --signal INT --grace 30s notebook-1
  jobctl cancel --grace 0 stuck-job
"""
SIGNALS = ("TERM", "INT", "QUIT", "HUP", "USR1", "USR2", "KILL")


def cancel(
    ctx: typer.Context,
    ids: Annotated[
        list[str], typer.Argument(metavar="ID...", help="Ids, unique prefixes of them, or @last.")
    ],
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
    """End jobs and keep their records."""
    session = of(ctx)
    try:
        grace_s = None if grace is None else math.ceil(seconds_of(grace))
    except ValueError as error:
        raise Misuse(f"--grace: {error}") from None
    signal_name = None if signal is None else signal_of(signal)
    client = session.client()
    failures: list[JobctlError] = []
    done: list[str] = []
    for text in ids:
        try:
            job = find(client, text)
            if job["status"] in ("completed", "failed", "cancelled"):
                output.note(f"{job['id']} had ended already: {job['status']}")
                continue
            ask(client, job["id"], why=reason, signal_name=signal_name, grace_s=grace_s)
            done.append(job["id"])
        except JobctlError as error:
            failures.append(error)
    if session.format in ("json", "yaml"):
        output.tree({"cancelling": done}, session.format)
    else:
        output.text("".join(f"{job_id}\n" for job_id in done))
    for failure in failures[1:]:
        output.error(failure, as_json=session.format == "json")
    if failures:
        raise failures[0]


def signal_of(text: str) -> str:
    """Returns the full name of a signal that a worker may get: term, TERM and SIGTERM are SIGTERM.

    Raises:
        Misuse: it is none of `SIGNALS`.
    """
    name = text.upper().removeprefix("SIG")
    if name not in SIGNALS:
        raise Misuse(f"--signal {text!r} is not one of {', '.join(SIGNALS)}", field="signal")
    return f"SIG{name}"
