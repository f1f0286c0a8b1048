"""`jobctl attach`: attaches to the command of a running job."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from jobctl.connection.session import session_of
from jobctl.errors import ConnectionLost
from jobctl.job.outcome import Outcome
from jobctl.output import output

if TYPE_CHECKING:
    import typer

    from jobctl.commands.arguments import DetachKeys, Id

FORMATS = ()
EXAMPLES = """
  jobctl attach @last
  jobctl attach --no-stdin trainer-3f

\b
Exit codes: the job's own, as with run, and
  0 left with the detach keys; the job keeps running
"""


def attach(
    ctx: typer.Context,
    job_id: Id,
    no_stdin: Annotated[
        bool, typer.Option("--no-stdin", help="Only show the output; send nothing to the command.")
    ] = False,
    detach_keys: DetachKeys = None,
) -> Outcome | None:
    """Attach to the command of a job: show its output from now on, and feed its standard input if the job has one.

    In a job with a terminal (run -t), ctrl-p ctrl-q leave it, and the job keeps running, as it does when the terminal is closed. Earlier
    output is in the log: jobctl logs ID.
    """
    from jobctl.interactive.attached import attach as attach_to
    from jobctl.interactive.session import Detached, Session, leaving
    from jobctl.selection.ids import resolve

    client = session_of(ctx).client()
    found = resolve(client, job_id)
    hint = f"{found} keeps running; to attach again: jobctl attach {found}"
    session = Session(detach_keys=detach_keys, feeds=not no_stdin)
    with leaving(hint):
        try:
            return attach_to(client, found, session, stdin=not no_stdin)
        except Detached:
            output.note(hint)
            return None
        except KeyboardInterrupt:
            output.note(hint, after_key=True)
            raise
        except ConnectionLost as error:
            error.hint = hint
            raise
