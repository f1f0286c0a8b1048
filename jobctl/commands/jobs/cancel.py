"""`jobctl cancel`: cancels jobs; their records, logs and files remain."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated

from jobctl.connection.session import session_of
from jobctl.errors import JobctlError, Misuse
from jobctl.job.requests.cancellation import request_cancel, request_cancel_of_set
from jobctl.output import output
from jobctl.selection.ids import select_whole_or_sets
from jobctl.selection.listing import TERMINAL
from jobctl.units import seconds_of

if TYPE_CHECKING:
    import typer

FORMATS = ("json", "yaml", "name")
EXAMPLES = """
  jobctl cancel @last
  jobctl cancel --reason 'wrong data set' trainer-3f
  jobctl cancel --signal INT --grace 30s notebook-1
  jobctl cancel --grace 0 stuck-job
  jobctl cancel -l sweep=7
  jobctl cancel --set nightly
"""
SIGNALS = ("TERM", "INT", "QUIT", "HUP", "USR1", "USR2", "KILL")


def cancel(
    ctx: typer.Context,
    ids: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ID]...", help="Whole ids of jobs or sets, or @last.", show_default=False),
    ] = None,
    label: Annotated[
        list[str] | None,
        typer.Option("-l", "--label", metavar="KEY=VALUE", help="Cancel all active jobs with this label."),
    ] = None,
    set_: Annotated[
        str | None, typer.Option("--set", metavar="SET", help="Cancel all active jobs of this set.")
    ] = None,
    grace: Annotated[
        str | None,
        typer.Option(
            "--grace",
            metavar="DURATION",
            help="Time between the signal and SIGKILL. [the job's --stop-timeout, 10s]",
        ),
    ] = None,
    signal: Annotated[
        str | None,
        typer.Option(
            "--signal",
            metavar="NAME",
            help=f"The first signal: {', '.join(SIGNALS)}. [the job's --stop-signal, TERM]",
        ),
    ] = None,
    reason: Annotated[
        str | None, typer.Option("--reason", metavar="TEXT", help="A reason, which jobd stores with the job.")
    ] = None,
) -> None:
    """Cancel jobs and keep their records.

    An id that is no job's may be that of a set, all jobs of which end. A prefix of an id is refused, and then no job is cancelled.
    """
    session = session_of(ctx)
    try:
        grace_s = None if grace is None else math.ceil(seconds_of(grace))
    except ValueError as error:
        raise Misuse(f"--grace: {error}") from None
    signal_name = None if signal is None else signal_of(signal)
    client = session.client()
    jobs, sets, failures = select_whole_or_sets(client, ids, label, set_)
    done: list[str] = []
    for one in sets:
        count = request_cancel_of_set(client, one.id, why=reason, signal_name=signal_name, grace_s=grace_s)
        if count:
            done.append(one.id)
        output.note(
            f"{one.id}: cancelling {count} job{'s' * (count != 1)}"
            if count
            else f"all jobs of {one.id} have already ended"
        )
    with output.noting_interrupt("cancelling", done):
        for job in jobs:
            try:
                if job["status"] in TERMINAL:
                    output.note(f"{job['id']} has already ended: {job['status']}")
                    continue
                request_cancel(client, job["id"], why=reason, signal_name=signal_name, grace_s=grace_s)
                done.append(job["id"])
            except JobctlError as error:
                failures.append(error)
    output.ids("cancelling", done, session.format)
    output.fail(failures, as_json=session.format == "json")


def signal_of(text: str) -> str:
    """Returns a signal's full name: SIGTERM for term, TERM and SIGTERM.

    Raises:
        Misuse: the signal is none of `SIGNALS`.
    """
    name = text.upper().removeprefix("SIG")
    if name not in SIGNALS:
        raise Misuse(f"--signal {text!r} is not one of {', '.join(SIGNALS)}", field="signal")
    return f"SIG{name}"
