"""Runs commands, waits for conditions, and says what failed."""

import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path


class Failed(SystemExit):
    """The script cannot continue; the text says why."""

    def __init__(self, message: str) -> None:
        super().__init__(f"kubernetes: {message}")


def say(message: str) -> None:
    print(f"kubernetes: {message}", file=sys.stderr, flush=True)


def run(
    *command: object,
    data: bytes | None = None,
    folder: Path | None = None,
    environ: Mapping[str, str] | None = None,
    limit_s: float = 3600,
) -> str:
    """Returns what a command prints. Raises Failed with its error text."""
    words = [str(word) for word in command]
    done = subprocess.run(
        words, input=data, capture_output=True, cwd=folder, env=environ, timeout=limit_s, check=False
    )
    if done.returncode:
        error = (done.stderr or done.stdout).decode("utf-8", "replace").strip()
        raise Failed(f"{' '.join(words)[:200]}: {error}")
    return done.stdout.decode("utf-8", "replace")


def succeeds(*command: object, limit_s: float = 30) -> bool:
    """Returns whether a command ends with code 0."""
    words = [str(word) for word in command]
    try:
        done = subprocess.run(words, capture_output=True, timeout=limit_s, check=False)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def wait(what: str, condition: Callable[[], bool], why_not: Callable[[], str], limit_s: float = 120) -> None:
    """Returns once a condition holds. `why_not` explains a failure, and raises Failed itself if waiting is useless."""
    deadline = time.monotonic() + limit_s
    while not condition():
        trouble = why_not()
        if time.monotonic() > deadline:
            raise Failed(f"{what}: not ready within {limit_s:g} s\n{trouble}")
        time.sleep(0.1)
