"""Standard streams that the caller has closed (`jobd >&- 2>&-`): /dev/null takes their place.

Otherwise Python has no such stream, and the next file or connection that jobd opens gets its number.
"""

import os
import sys

LAST_STANDARD = 2


def open_closed_streams() -> None:
    """Opens /dev/null for each of stdin, stdout and stderr that is closed. Call this before any other file is opened."""
    if None not in (sys.stdin, sys.stdout, sys.stderr):
        return
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= LAST_STANDARD:  # the lowest number that is free
        os.set_inheritable(descriptor, True)
    os.close(descriptor)
    sys.stdin = sys.stdin or open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - open until the end
    sys.stdout = sys.stdout or open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
