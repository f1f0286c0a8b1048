"""A real Kubernetes of one node for tests, on this machine alone.

python -m scripts.kubernetes up             builds what is missing, starts what does not run; prints jobd's kubeconfig
python -m scripts.kubernetes down           ends all of it and removes its state; the binaries stay
python -m scripts.kubernetes build          only builds
python -m scripts.kubernetes load IMAGE...  copies images from the Docker engine to the node
python -m scripts.kubernetes status         the components and their pids
python -m scripts.kubernetes stop NAME [SIGNAL]  ends one component, start NAME starts it again
python -m scripts.kubernetes kubectl ...    kubectl as the administrator
"""

import fcntl
import os
import signal
import sys
import time

from scripts.kubernetes import cluster
from scripts.kubernetes.build import build
from scripts.kubernetes.commands import Failed, say
from scripts.kubernetes.components import COMPONENTS
from scripts.kubernetes.places import CACHE, JOBD
from scripts.kubernetes.processes import stop


def main(arguments: list[str]) -> int:
    verb, rest = (arguments[0], arguments[1:]) if arguments else ("", [])
    if verb == "kubectl":
        command = [str(word) for word in cluster.kubectl(*rest)]
        os.execv(command[0], command)
    if verb == "status":
        for name, pid in cluster.status().items():
            print(f"{name:12} {pid or '-'}")
        return 0
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two runs at once would start everything twice
        began = time.monotonic()
        match verb:
            case "up":
                cluster.up()
                say(f"ready in {time.monotonic() - began:.0f} s; for jobd: KUBECONFIG={JOBD}")
                print(JOBD)
            case "down":
                cluster.down()
            case "build":
                build()
            case "load" if rest:
                cluster.load(rest)
            case "start" if len(rest) == 1 and rest[0] in COMPONENTS:
                cluster.start_component(rest[0])
            case "stop" if rest and rest[0] in COMPONENTS:
                stop(rest[0], signal.Signals[rest[1]] if rest[1:] else signal.SIGTERM)
            case _:
                raise Failed(__doc__ or "")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
