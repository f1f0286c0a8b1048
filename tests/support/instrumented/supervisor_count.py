"""jobd that says how many supervisors are in memory.

    JOBD_SUPERVISOR_COUNT=file python -m tests.support.instrumented.supervisor_count [flags of jobd]

On SIGUSR1 the process collects its garbage, and writes the number of its supervisors into the file.
"""

import gc
import os
import signal
import sys
import weakref
from pathlib import Path
from typing import Any

from jobd.__main__ import main
from jobd.jobs.run.supervisor import Supervisor

_made: weakref.WeakSet[Supervisor] = weakref.WeakSet()
_init = Supervisor.__init__


def _counted(self: Supervisor, *args: Any) -> None:
    _init(self, *args)
    _made.add(self)


def _write(*_: object) -> None:
    gc.collect()
    path = Path(os.environ["JOBD_SUPERVISOR_COUNT"])
    path.with_suffix(".new").write_text(str(len(_made)))
    path.with_suffix(".new").rename(path)


if __name__ == "__main__":
    setattr(Supervisor, "__init__", _counted)  # noqa: B010 - mypy knows a method
    signal.signal(signal.SIGUSR1, _write)
    main(sys.argv[1:])
