"""The entry point of the sidecar's image.

Python runs this file with `-I -S`: without environment variables, `site` and the caller's folders. A job with artifacts waits for the
sidecar's start, of which imports are the largest part.
"""

import gc
import sys
from os.path import dirname


def main() -> int:
    """Imports and runs the sidecar."""
    gc.disable()  # what imports create stays: a collection would free nothing
    sys.path.insert(0, dirname(dirname(__file__)))  # noqa: PTH120 - pathlib would delay the start
    from sidecar.__main__ import main as run

    gc.freeze()
    gc.enable()
    return run()


if __name__ == "__main__":
    sys.exit(main())
