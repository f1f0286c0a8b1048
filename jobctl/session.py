"""What one call of jobctl knows from its global flags, and the client that follows from them.

Owns the flags that every command takes. It imports the client only when a command asks for it.
"""

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jobctl.client import Client

FORMATS = ("table", "wide", "json", "yaml", "name")


class Session:
    """The global flags. `command` is the name of the command that runs, once it is known."""

    def __init__(self) -> None:
        self.command = ""
        self.host: str | None = None
        self.output: str | None = None
        self.json = False

    @property
    def format(self) -> str:
        """One of `FORMATS`, or "" where the command may choose: plain columns off a terminal."""
        return "json" if self.json else (self.output or "")

    def client(self) -> "Client":
        """Returns a client for the daemon that the flags and variables name. Nothing is connected yet."""
        from jobctl.client import Client
        from jobctl.config import targets

        return Client(targets(self.host, os.environ))


def of(ctx: Any) -> Session:
    """Returns the session of a command's context."""
    session = ctx.find_object(Session)
    assert isinstance(session, Session)
    return session
