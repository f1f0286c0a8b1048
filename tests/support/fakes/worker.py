"""What the fake engine's worker does: by default nothing, successfully.

Owns the script alone; it is played in `world.py`. Nothing is run.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from jobd.jobs.port.model import EndCause


@dataclass(frozen=True, slots=True)
class WorkerScript:
    """What a worker does once it is started: prints, writes, and ends for `cause` after `runs_s` (None: when a signal ends it).

    `shows` names secrets that are printed after `lines`, or missed on stderr. `rest` is printed to stdout last, without a newline. `writes` are files, by path within the workspace.
    `start_error` (code, text): it does not start at all.
    """

    lines: Sequence[str] = ()
    errors: Sequence[str] = ()
    shows: Sequence[str] = ()
    rest: str = ""
    writes: Mapping[str, bytes] = field(default_factory=dict)
    exit_code: int | None = 0
    runs_s: float | None = 0.0
    cause: EndCause = EndCause.OWN_EXIT
    ignores_sigterm: bool = False
    start_error: tuple[int, str] | None = None
