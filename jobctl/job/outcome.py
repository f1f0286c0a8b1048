"""How a job, or the watching of one, ended: what `run` and `wait` hand to `main.py` instead of an exit code.

Owns the shapes alone.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Ended:
    """The job ended. `reason` is a kebab code of the daemon; `exit_code` is None while unknown. `stdout_cut`: what reads jobctl's
    standard output has not got all that the job printed.
    """

    status: str
    exit_code: int | None = None
    reason: str | None = None
    stdout_cut: bool = False


@dataclass(frozen=True, slots=True)
class Interrupted:
    """The caller pressed Ctrl-C and the job was cancelled for it."""


@dataclass(frozen=True, slots=True)
class GaveUp:
    """`wait --timeout` passed first."""


@dataclass(frozen=True, slots=True)
class Unhealthy:
    """`doctor` or `validate` found something wrong and has said so."""


Outcome = Ended | Interrupted | GaveUp | Unhealthy
