"""Prints what this program has got from its start, or waits for a signal. `python -m` of this module, and a fork, are to be the same."""

import gc
import json
import os
import resource
import signal
import sys
import threading
from pathlib import Path

if sys.argv[1:] == ["wait"]:
    sys.stderr.write("waits\n")
    signal.pause()

umask = os.umask(0o77)
json.dump(
    {
        "arguments": sys.argv[1:],
        "name": __name__,
        "file": __file__,
        "path": sys.path,
        "environ": dict(os.environ),
        "folder": str(Path.cwd()),
        "umask": umask,
        "limits": [
            resource.getrlimit(getattr(resource, name))
            for name in dir(resource)
            if name.startswith("RLIMIT_")
        ],
        "group": os.getpgrp(),
        "session": os.getsid(0),
        "signals": {
            number: str(signal.getsignal(number)).split(" at 0x")[0]
            for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}
        },
        "descriptors": sorted(int(path.name) for path in Path("/proc/self/fd").iterdir()),
        "threads": threading.active_count(),
        "stdin": sys.stdin.read(),
        "streams": [
            (stream.encoding, stream.errors, stream.line_buffering) for stream in (sys.stdout, sys.stderr)
        ],
        "flags": list(sys.flags),
        "warnings": sys.warnoptions,
        "collects": gc.isenabled(),
    },
    sys.stdout,
)
sys.exit(7)
