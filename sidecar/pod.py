"""The entry point of the sidecar in a Pod.

There the kubelet starts a sidecar again that has ended, and sends SIGTERM when the worker has ended, however it ended. So the sidecar
stays until SIGTERM, also after failed inputs. `--order`: an order comes on the standard input. `--keep`: the sidecar stays after SIGTERM
too, for the files in the workspace, until `END_FILE` exists.

Python runs this file as it runs `start.py`. Source: Kubernetes documentation, "Sidecar Containers".
"""

import gc
import sys
import time
from os.path import dirname, exists

END_FILE = "/run/job/end"
LOOK_S = 1.0


def main(arguments: list[str]) -> int:
    """Runs one job's sidecar, if it has an order, and waits; returns the exit code."""
    gc.disable()  # what imports create stays: a collection would free nothing
    sys.path.insert(0, dirname(dirname(__file__)))  # noqa: PTH120 - pathlib would delay the start
    from sidecar.__main__ import run
    from sidecar.interrupts import Interrupts

    gc.freeze()
    gc.enable()
    interrupts = Interrupts(sigterm="stay")
    interrupts.install()
    try:
        code = run(interrupts) if "--order" in arguments else 0
        interrupts.wait_for_termination()
        while "--keep" in arguments and not exists(END_FILE):  # noqa: PTH110 - as above
            time.sleep(LOOK_S)
        return code
    finally:
        interrupts.ignore()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
