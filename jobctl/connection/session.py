"""The global flags of one call of jobctl, and the client for them. Imports the client only when a command needs one."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from jobctl.errors import Misuse

if TYPE_CHECKING:
    from jobctl.connection.client import Client

FORMATS = ("table", "wide", "json", "yaml", "name")


class Session:
    """The global flags. `command`: the name of the running command, once known; `preset_format`: the default format of an alias."""

    def __init__(self) -> None:
        self.command = ""
        self.host: str | None = None
        self.output: str | None = None
        self.json = False
        self.preset_format = ""
        self._client: Client | None = None

    @property
    def format(self) -> str:
        """One of `FORMATS`, or "" for the command's default."""
        return "json" if self.json else (self.output or self.preset_format)

    def check_format(self, formats: tuple[str, ...]) -> None:
        """Raises Misuse where the format is none of `formats`, or two formats are given."""
        if self.json and self.output not in (None, "json"):
            raise Misuse(f"--json and -o {self.output} contradict each other", hint="give only one of them")
        if self.format and self.format not in formats:
            flag = "--json" if self.json else f"-o {self.format}"
            supported = " or ".join(f"-o {name}" for name in formats)
            hint = f"use {supported}" if supported else f"jobctl {self.command} has no output formats"
            raise Misuse(f"jobctl {self.command} cannot print {flag}", hint=hint)

    def client(self) -> Client:
        """Returns a client for the daemon that the flags and variables name. Opens no connection yet."""
        from jobctl.connection.client import Client
        from jobctl.connection.config import targets

        self._client = Client(targets(self.host, os.environ))
        return self._client

    @property
    def has_unanswered_request(self) -> bool:
        """True where a request that changes something was sent and not answered."""
        return self._client is not None and self._client.has_unanswered_request


def session_of(ctx: Any) -> Session:
    """Returns the session of a command's context."""
    session = ctx.find_object(Session)
    assert isinstance(session, Session)
    return session
