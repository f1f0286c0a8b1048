"""Attaches to a job until its end: for `run` before the command starts, for `attach` while the command runs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from jobctl.connection.client import job_path
from jobctl.connection.log_stream import FIRST_PAUSE_S, LONGEST_PAUSE_S, RECONNECT_FOR_S
from jobctl.errors import Conflict, ConnectionLost, JobctlError, Refused, Unreachable
from jobctl.interactive.websocket import connect
from jobctl.job.outcome import Ended
from jobctl.output import output

if TYPE_CHECKING:
    from jobctl.connection.client import Client
    from jobctl.interactive.session import Session, Status

COMMAND_ENDED = "command-ended"


def attach(client: Client, job_id: str, session: Session, *, stdin: bool) -> Ended:
    """Attaches once. Returns how the job ended. Raises as `Session.run`; NotFound; Conflict: the command has ended, or is paused."""
    socket = connect(client, job_path(job_id, "attach"), {"stdin": stdin or None})
    return _ended(session.run(socket))


def follow(client: Client, job_id: str, session: Session, *, stdin: bool) -> Ended | None:
    """Attaches to a submitted job. While the job waits for its start, a lost connection is opened again: nothing can be missing. Returns how
    the job ended; None: its command has ended before jobctl was attached. Raises as `attach`.
    """
    pause, broke_at = FIRST_PAUSE_S, None
    while True:
        try:
            return attach(client, job_id, session, stdin=stdin)
        except Conflict as error:
            if error.code != COMMAND_ENDED:
                raise
            return None
        except (ConnectionLost, Unreachable, Refused) as error:
            if session.is_attached or (isinstance(error, Refused) and not error.transient):
                raise
            lost: JobctlError = error
        now = time.monotonic()
        if broke_at is None:
            broke_at = now
            output.note(f"{lost.message}; reconnecting")
        if now - broke_at > RECONNECT_FOR_S:
            raise ConnectionLost(f"jobd could not be reached for {RECONNECT_FOR_S:g} s: {lost}")
        time.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE_S)


def _ended(status: Status) -> Ended:
    end: dict[str, Any] = status.get("end") or {}
    code = end.get("exitCode")
    return Ended(
        status=str(end.get("status") or ""),
        exit_code=code if isinstance(code, int) else None,
        reason=end.get("reason"),
    )
