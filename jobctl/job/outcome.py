"""The outcomes of commands, which `main.py` maps to exit codes."""

from jobctl.value import Value


class Ended(Value):
    """The job ended. `reason`: a code of the daemon; `exit_code`: None where unknown; `stdout_cut`: jobctl's standard output lacks a
    part of the job's output.
    """

    status: str
    exit_code: int | None = None
    reason: str | None = None
    stdout_cut: bool = False


class Interrupted(Value):
    """The user pressed Ctrl-C, which cancelled the job."""


class WaitTimedOut(Value):
    """`wait --timeout` passed before the jobs ended."""


class ProblemsFound(Value):
    """`doctor`, `validate`, `verify` or `listen` found a problem and has printed it."""


class DaemonStopped(Value):
    """`daemon status`: jobd does not run."""


Outcome = Ended | Interrupted | WaitTimedOut | ProblemsFound | DaemonStopped
