"""Tells on stderr which row is being measured; stdout has the table alone."""

import sys

from scripts.bench.pairs import Budget


def say(text: str) -> None:
    """Prints one line."""
    print(text, file=sys.stderr, flush=True)


def begin(budget: Budget) -> None:
    """Prints which row is measured next."""
    say(f"{budget.name}: {budget.what}")
