"""The script of the fake engine's worker: by default does nothing and succeeds.

`world.py` plays the script. Nothing is executed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from jobd.jobs.port.model import EndCause


@dataclass(frozen=True, slots=True)
class WorkerScript:
    """A started worker prints, writes, and ends for `cause` after `runs_s` (None: when a signal ends it).

    `shows` names secrets to print after `lines`, or to report on stderr if missing. `rest`: printed to stdout last, without a newline. `writes` are files, by path within the workspace.
    `start_error` (code, text): the start fails. `copies`: copies its input to stdout, until the input's end, and then ends.
    `shows_size`: prints rows and columns at each change of its terminal.
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
    copies: bool = False
    shows_size: bool = False
