"""The demo's output: sections, and a tick for each check. Owns the layout and the exception of a failed check. Knows nothing of jobs."""

import os
import sys
import time
from collections.abc import Callable
from typing import Any

DEADLINE_S = 60


class Difference(Exception):
    """A check has failed."""


class Story:
    """Prints to stdout; uses colours only on a terminal."""

    def __init__(self) -> None:
        self.colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        self.checks = 0
        self.began = time.monotonic()

    def section(self, title: str) -> None:
        print(f"\n{self._paint('1', title)}", flush=True)

    def line(self, text: str) -> None:
        print(f"    {self._paint('2', text)}", flush=True)

    def check(self, holds: bool, claim: str, otherwise: object = "") -> None:
        """Prints the claim with a tick; `otherwise` describes a failure.

        Raises:
            Difference: the claim does not hold.
        """
        if not holds:
            print(f"  {self._paint('31', '✗')} {claim}", flush=True)
            raise Difference(f"not so: {claim}\nfound: {otherwise}")
        self.checks += 1
        print(f"  {self._paint('32', '✓')} {claim}", flush=True)

    def end(self) -> None:
        print(f"\n{self.checks} checks, all good, in {time.monotonic() - self.began:.1f} s", flush=True)

    def _paint(self, code: str, text: str) -> str:
        return f"\033[{code}m{text}\033[0m" if self.colour else text


def wait_for(condition: Callable[[], Any], what: str, deadline_s: float = DEADLINE_S) -> None:
    """Returns when `condition` holds.

    Raises:
        Difference: `condition` does not hold within the deadline.
    """
    deadline = time.monotonic() + deadline_s
    while not condition():
        if time.monotonic() > deadline:
            raise Difference(f"no {what} within {deadline_s:.0f} s")
        time.sleep(0.05)
