"""What a page of `docs/cli` is made of: its commands, and how each of them runs. Pure data."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Step:
    """One command line. `says`: a sentence before it; `hidden`: runs and is not shown; `until`, `keys`, `at_end`: see `terminal.Terminal.run`;
    `reads`: changes nothing, so that it runs in all views one after the other; `no_color`: runs again with NO_COLOR; `varies`: differs from run
    to run; `instead`: what runs in a pipe in the place of a command that needs a terminal.
    """

    command: str
    says: str = ""
    hidden: bool = False
    until: str = ""
    keys: str = ""
    at_end: bool = False
    reads: bool = False
    no_color: bool = False
    varies: bool = False
    instead: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """One file of `docs/cli`. `environ`: variables of its commands beside those of all pages."""

    name: str
    title: str
    steps: tuple[Step, ...]
    environ: Mapping[str, str] = field(default_factory=dict)


def hidden(command: str) -> Step:
    """Returns a step that only prepares the next ones."""
    return Step(command, hidden=True)
