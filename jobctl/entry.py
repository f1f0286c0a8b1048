"""The console script: starts jobctl and ends its process, both without work that a short-lived program has no use for.

Importing makes many objects and no garbage, so the collector rests meanwhile and is rare afterwards. The interpreter's own end
would take modules apart one by one. Together that is a fifth of the time of `jobctl run`.
"""

import gc
import os
import sys
from typing import NoReturn

OBJECTS_TO_COLLECT = 50_000


def main() -> NoReturn:
    """The command `jobctl`. Everything that must be written or put back is, when `jobctl.main` returns."""
    gc.set_threshold(OBJECTS_TO_COLLECT)
    from jobctl.main import main as run

    code = run()
    try:
        sys.stderr.flush()
    except OSError:
        pass  # nobody reads it any more
    os._exit(code)
