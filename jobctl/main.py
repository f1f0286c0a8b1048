"""The command line: runs one command and maps its result or error to an exit code. Only this module knows exit codes.

Source: man/jobctl.1, "EXIT STATUS".
"""

import os
import signal
import sys
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from jobctl import plain_parser
from jobctl.connection.session import Session
from jobctl.errors import (
    Conflict,
    EndedBySignal,
    JobctlError,
    Misuse,
    NotAllowed,
    NotFound,
    OutputMissing,
    Unreachable,
)
from jobctl.output import output

if TYPE_CHECKING:
    from jobctl.job.outcome import Ended, Outcome

WAIT_TIMED_OUT = 120
CANCELLED = 121
OUTPUT_FAILED = 122
NOT_STARTED = 123
DEADLINE = 124
INTERNAL = 125
CANNOT_EXECUTE = 126
OUT_OF_MEMORY = 137
INTERRUPTED = 130

PASS_THROUGH = frozenset({"run", "sweep", "wait", "attach", "exec"})
"""Commands that exit with the exit code of a job or a command: their own failures are 125."""

REASONS: Mapping[str, int] = MappingProxyType(
    {
        "timeout": DEADLINE,
        "oom-killed": OUT_OF_MEMORY,
        "cancelled": CANCELLED,
        "dependency": CANCELLED,
        "image-not-found": NOT_STARTED,
        "input-failed": NOT_STARTED,
        "refused-by-engine": NOT_STARTED,
        "engine-error": NOT_STARTED,
        "output-failed": OUTPUT_FAILED,
        "output-too-large": OUTPUT_FAILED,
        "lost": INTERNAL,
    }
)

ERRORS: Mapping[type[JobctlError], int] = MappingProxyType(
    {Misuse: 2, Unreachable: 3, NotFound: 4, NotAllowed: 5, Conflict: 6, OutputMissing: OUTPUT_FAILED}
)


def main() -> int:
    """Runs the process's own command line and returns its exit code, with stdout flushed."""
    code = run(sys.argv[1:])
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _discard_stdout()
        code = code or 128 + signal.SIGPIPE
    except OSError as error:  # the disk is full
        _discard_stdout()
        if code == 0:
            output.note(f"cannot write to standard output: {error.strerror}")
            code = 1
    return code


def run(arguments: Sequence[str]) -> int:
    """Runs one command line and returns its exit code. Prints errors on stderr, in one form for all commands."""
    session = Session()
    try:
        result = _result(arguments, session)
        sys.stdout.flush()
        if result is None or isinstance(result, int):
            return result or 0
        return outcome_code(result)
    except JobctlError as error:
        output.error(error, as_json=_wants_json(session, arguments))
        return error_code(error, session.command)
    except EndedBySignal as left:
        if left.number == signal.SIGPIPE:
            _discard_stdout()
        if left.hint:
            output.note(left.hint, after_key=left.number == signal.SIGINT)
        return 128 + left.number
    except KeyboardInterrupt:
        if session.has_unanswered_request:
            output.note(
                "interrupted before jobd answered; jobd may do all the same what was asked: jobctl ls -a",
                after_key=True,
            )
        return INTERRUPTED
    except BrokenPipeError:
        _discard_stdout()
        return 128 + signal.SIGPIPE
    except OSError as error:
        return _output_failed(error, session)


def _result(arguments: Sequence[str], session: Session) -> Any:
    """Runs the command and returns its outcome. Imports typer only where the command line is not an ordinary one. Raises as the parser does."""
    call = plain_parser.parse(arguments)
    if call is None:
        from jobctl import parser

        return parser.run(arguments, session)
    call.set_up(session)
    try:
        return call.run(session)
    except BrokenPipeError:
        raise EndedBySignal(signal.SIGPIPE, "") from None


def outcome_code(outcome: "Outcome") -> int:
    """Returns the exit code of an outcome of `run`, `sweep`, `wait`, `doctor`, `validate`, `verify`, `listen` or `daemon`."""
    from jobctl.job.outcome import DaemonStopped, Interrupted, ProblemsFound, WaitTimedOut

    if isinstance(outcome, Interrupted):
        return INTERRUPTED
    if isinstance(outcome, WaitTimedOut):
        return WAIT_TIMED_OUT
    if isinstance(outcome, ProblemsFound):
        return 1
    if isinstance(outcome, DaemonStopped):
        return ERRORS[Unreachable]
    return ended_code(outcome)


def ended_code(ended: "Ended") -> int:
    """Returns the exit code for the end of a job: the job's own, or a reserved one where the job has none."""
    if ended.status == "completed":
        return 0
    if ended.status == "cancelled":
        return CANCELLED
    reserved = REASONS.get(ended.reason or "")
    if reserved is not None:
        return reserved
    if ended.reason == "start-failed":
        return ended.exit_code if ended.exit_code in (126, 127) else CANNOT_EXECUTE
    if ended.exit_code is not None and 0 < ended.exit_code < 256:
        return ended.exit_code
    return INTERNAL


def error_code(error: JobctlError, command: str) -> int:
    """Returns the exit code of a command that failed."""
    if isinstance(error, OutputMissing):
        return OUTPUT_FAILED
    if command in PASS_THROUGH:
        return INTERNAL
    return next((code for kind, code in ERRORS.items() if isinstance(error, kind)), 1)


def _output_failed(error: OSError, session: Session) -> int:
    """All other OSErrors are translated, so writing to stdout failed: for instance, its disk is full."""
    _discard_stdout()
    failure = JobctlError(f"cannot write to standard output: {error.strerror or error}", code="output")
    output.error(failure, as_json=session.format == "json")
    return error_code(failure, session.command)


def _wants_json(session: Session, arguments: Sequence[str]) -> bool:
    """True where the error is printed as JSON, also where the parser failed before it read --json."""
    return session.format == "json" or (session.command not in PASS_THROUGH and "--json" in arguments)


def _discard_stdout() -> None:
    """Redirects stdout to /dev/null, so that the last flush does not fail when the reader has closed the pipe."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError):
        pass
