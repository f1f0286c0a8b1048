"""The log of one job between two displays of `jobctl top`."""

import sys

from jobctl.connection.client import Client
from jobctl.connection.log_stream import frames
from jobctl.errors import JobctlError
from jobctl.output import output
from jobctl.output.live.live_terminal import LiveTerminal
from jobctl.output.printer import Printer

TAIL = 1000
"""The last lines of the log, which the terminal can scroll back to."""
WAIT_S = 60.0


def show_log(client: Client, job_id: str, terminal: LiveTerminal) -> None:
    """Follows a log until its end or Ctrl-C, then waits for a key if the log has ended."""
    try:
        with terminal.released():
            _follow(client, job_id)
        while terminal.has_keys and not terminal.keys(WAIT_S):
            pass
    except KeyboardInterrupt:
        output.text("\n")
        sys.stdout.flush()


def _follow(client: Client, job_id: str) -> None:
    output.text(output.styled(f"the log of {job_id}; Ctrl-C returns to the list", "bold") + "\n")
    sys.stdout.flush()
    printer = Printer()
    try:
        for batch in frames(
            client, job_id, follow=True, tail=TAIL, unfinished=printer.prints_unfinished_lines
        ):
            printer.show(batch)
    except JobctlError as error:
        output.note(error.message)
    output.text(output.styled("the log has ended; any key returns to the list", "bold") + "\n")
    sys.stdout.flush()
