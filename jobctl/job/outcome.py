"""The outcomes of commands, which `main.py` maps to exit codes."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Ended:
    """The job ended. `reason`: a code of the daemon; `exit_code`: None where unknown; `stdout_cut`: jobctl's standard output lacks a
    part of the job's output.
    """

    status: str
    exit_code: int | None = None
    reason: str | None = None
    stdout_cut: bool = False


@dataclass(frozen=True, slots=True)
class Interrupted:
    """The user pressed Ctrl-C, which cancelled the job."""


@dataclass(frozen=True, slots=True)
class WaitTimedOut:
    """`wait --timeout` passed before the jobs ended."""


@dataclass(frozen=True, slots=True)
class ProblemsFound:
    """`doctor`, `validate`, `verify` or `listen` found a problem and has printed it."""


Outcome = Ended | Interrupted | WaitTimedOut | ProblemsFound
