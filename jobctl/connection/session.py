"""What one call of jobctl knows from its global flags, and the client that follows from them.

Owns the flags that every command takes. It imports the client only when a command asks for it.
"""

import os
from typing import TYPE_CHECKING, Any

from jobctl.errors import Misuse

if TYPE_CHECKING:
    from jobctl.connection.client import Client

FORMATS = ("table", "wide", "json", "yaml", "name")


class Session:
    """The global flags. `command` is the name of the command that runs, once it is known; `preset_format` is what it prints where no
    format is asked for.
    """

    def __init__(self) -> None:
        self.command = ""
        self.host: str | None = None
        self.output: str | None = None
        self.json = False
        self.preset_format = ""

    @property
    def format(self) -> str:
        """One of `FORMATS`, or "" where the command may choose: plain columns off a terminal."""
        return "json" if self.json else (self.output or self.preset_format)

    def check_format(self, formats: tuple[str, ...]) -> None:
        """Raises Misuse where the format is none of `formats`, or two are asked for."""
        if self.json and self.output not in (None, "json"):
            raise Misuse(f"--json and -o {self.output} contradict each other", hint="give one of the two")
        if self.format and self.format not in formats:
            has = " or ".join(f"-o {name}" for name in formats) or "no other form"
            asked = "--json" if self.json else f"-o {self.format}"
            raise Misuse(f"jobctl {self.command} cannot print {asked}", hint=f"it has {has}")

    def client(self) -> "Client":
        """Returns a client for the daemon that the flags and variables name. Nothing is connected yet."""
        from jobctl.connection.client import Client
        from jobctl.connection.config import targets

        return Client(targets(self.host, os.environ))


def of(ctx: Any) -> Session:
    """Returns the session of a command's context."""
    session = ctx.find_object(Session)
    assert isinstance(session, Session)
    return session
