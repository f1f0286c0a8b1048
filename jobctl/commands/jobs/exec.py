"""`jobctl exec`: runs a command beside the command of a running job."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

from jobctl.connection.session import session_of
from jobctl.errors import ConnectionLost, Misuse
from jobctl.output import output

if TYPE_CHECKING:
    import typer

    from jobctl.commands.arguments import DetachKeys, Id

SETTINGS = {"allow_interspersed_args": False}
FORMATS = ()
EXAMPLES = """
  jobctl exec -it @last sh
  jobctl exec trainer-3f nvidia-smi
  jobctl exec -i trainer-3f tee -a notes.txt < notes.txt

Put flags before ID; all words after ID are the command.

\b
Exit codes: the command's own, and
  125 jobctl or jobd failed
  126, 127 the command cannot run
"""


def exec(
    ctx: typer.Context,
    job_id: Id,
    command: Annotated[
        list[str], typer.Argument(metavar="COMMAND...", help="The command.", show_default=False)
    ],
    interactive: Annotated[
        bool, typer.Option("-i", "--interactive", help="Feed standard input to the command.")
    ] = False,
    tty: Annotated[bool, typer.Option("-t", "--tty", help="Give the command a terminal.")] = False,
    env: Annotated[
        list[str] | None,
        typer.Option(
            "-e",
            "--env",
            metavar="NAME[=VALUE]",
            help="An environment variable beside the job's; without a value, jobctl's own.",
        ),
    ] = None,
    workdir: Annotated[
        str | None,
        typer.Option("-w", "--workdir", metavar="PATH", help="The working directory. [the job's workspace]"),
    ] = None,
    user: Annotated[
        str | None,
        typer.Option("-u", "--user", metavar="UID[:GID]", help="The user of the command. [the job's]"),
    ] = None,
    detach_keys: DetachKeys = None,
) -> int:
    """Run a command in the container of a running job, beside the job's own command, and exit with its exit code.

    The command's output is not in the job's log. When jobctl ends before the command, the command reads the end of its input, and a
    terminal hangs up; a command that ignores both ends with the job.
    """
    from jobctl.interactive.execution import execute
    from jobctl.interactive.session import Detached, Session, check_terminal, leaving
    from jobctl.job.spec.environment import environment
    from jobctl.selection.ids import resolve

    if not command:
        raise Misuse("no command given", hint="jobctl exec ID COMMAND...")
    check_terminal(stdin=interactive, tty=tty)
    request = {
        "command": command,
        "stdin": interactive,
        "tty": tty,
        "environment": environment(env or (), (), os.environ),
        "workdir": workdir,
        "user": user,
    }
    client = session_of(ctx).client()
    found = resolve(client, job_id)
    with leaving(""):
        try:
            return execute(client, found, Session(detach_keys=detach_keys, feeds=interactive), request)
        except Detached:
            output.note(f"left the command, which runs on in {found}")
            return 0
        except ConnectionLost as error:
            error.hint = f"the command may run on in {found}"
            raise
