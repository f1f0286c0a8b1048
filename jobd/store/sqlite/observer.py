"""Who learns what the writer has written, before any caller of the writer does."""

import sqlite3
from typing import Protocol


class Observer(Protocol):
    """Learns which rows each group of changes has changed."""

    def watch(self, connection: sqlite3.Connection) -> None:
        """Notes what `connection` changes from now on. Called once for each connection, before its first change."""
        ...

    def take(self) -> set[str] | None:
        """Returns what was noted since the last call, None for anything; on the writer's thread, after each group, also after a group
        that failed: a failed commit may be on the disk.
        """
        ...

    def drop(self, changed: set[str] | None) -> None:
        """Takes what was noted; on the event loop, before the results of the group are set."""
        ...
