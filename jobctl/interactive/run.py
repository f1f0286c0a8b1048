"""An attached run with standard input or a terminal: `run -i`, `run -t` and `run -it`."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from jobctl.errors import ConnectionLost, EndedBySignal, Misuse
from jobctl.interactive import attached, keys
from jobctl.interactive.session import Detached, Session, check_terminal
from jobctl.job import attach
from jobctl.output import output
from jobctl.output.live.progress_display import ProgressDisplay

if TYPE_CHECKING:
    from jobctl.connection.client import Client
    from jobctl.job.outcome import Ended
    from jobctl.job.spec.plan import Plan


def checked(plan: Plan, *, as_json: bool, detach_keys: str | None) -> Plan:
    """Returns the plan of a job whose start waits for jobctl.

    Raises:
        Misuse: standard input is no terminal where the job has one, the output is to be JSON, or the keys are none.
    """
    if as_json:
        raise Misuse("-i and -t print the job's output as it is, not as JSON", hint="leave --json out")
    if detach_keys:
        keys.parse(detach_keys)
    check_terminal(stdin=bool(plan.spec.get("stdin")), tty=bool(plan.spec.get("tty")))
    return plan.with_client()


def follow(
    client: Client,
    plan: Plan,
    signals: attach.RunSignals,
    *,
    raw: bool,
    only_stderr: bool,
    detach_keys: str | None,
) -> Ended | None:
    """Attaches to the job until its end. Returns how the job ended; None where the person has left the terminal.

    Raises:
        ConnectionLost: jobd could not be reached any more; the hint says how to attach again.
        EndedBySignal: the terminal, or the reader of standard output, is gone.
    """
    job_id, stdin = str(plan.spec["id"]), bool(plan.spec.get("stdin"))
    signals.follow_command = "jobctl attach"
    with ProgressDisplay(client, job_id) as progress:
        session = Session(detach_keys=detach_keys, raw=raw, only_stderr=only_stderr, begun=progress.end)
        try:
            ended = attached.follow(client, job_id, session, stdin=stdin)
        except Detached:
            output.note(f"left {job_id}, which keeps running; to attach again: jobctl attach {job_id}")
            return None
        except EndedBySignal as left:
            if left.number in (signal.SIGPIPE, signal.SIGHUP) and not left.hint:
                raise EndedBySignal(left.number, signals.resume_hint()) from None
            raise
        except ConnectionLost as error:
            error.hint = signals.resume_hint()
            raise
    if ended is None:  # the command has ended without jobctl, and the log has all that it printed
        return attach.follow_to_end(client, job_id, signals, as_json=False, raw=raw, only_stderr=only_stderr)
    return ended
