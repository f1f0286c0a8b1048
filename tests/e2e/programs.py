"""jobctl as a program: commands for its jobs, and reading its output."""

import subprocess
from collections.abc import Callable

from tests.support.daemon import DEADLINE_S

SLEEPS = "trap 'echo ending; exit 0' TERM; echo ready; while true; do sleep 0.1; done"
STUBBORN = "trap '' TERM INT; echo ready; while true; do sleep 0.1; done"

Start = Callable[..., "subprocess.Popen[bytes]"]


def first_line(program: "subprocess.Popen[bytes]") -> str:
    """Reads a program's first line."""
    assert program.stdout is not None
    return program.stdout.readline().decode().rstrip("\n")


def finished(program: "subprocess.Popen[bytes]") -> tuple[int, str, str]:
    """Waits for a program's end and returns its exit code, stdout and stderr."""
    out, err = program.communicate(timeout=DEADLINE_S)
    return program.returncode, out.decode(), err.decode()
