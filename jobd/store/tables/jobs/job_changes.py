"""Notes which jobs the write connection changes, by triggers of that connection: no statement that changes a row can be left out.

The triggers are temporary: they belong to the connection and are not stored in the file.
Source: SQLite documentation, CREATE TRIGGER, "TEMP Triggers".
"""

import sqlite3
from collections.abc import Callable

_NOTE = "note_job"
# As bytes: a damaged id may be no UTF-8, and a function that SQLite cannot give its argument would fail the change.
_TRIGGERS = tuple(
    f"CREATE TEMP TRIGGER IF NOT EXISTS job_{name} AFTER {name} ON main.jobs BEGIN SELECT {_NOTE}(CAST({row}.id AS BLOB)); END"
    for name, row in (("insert", "NEW"), ("update", "NEW"), ("delete", "OLD"))
)


def watch(connection: sqlite3.Connection, note: Callable[[str], None]) -> None:
    """Calls `note` with the id of each job that `connection` inserts, changes or deletes from now on, in the connection's thread."""
    connection.create_function(_NOTE, 1, lambda job_id: note(_text(job_id)))
    for trigger in _TRIGGERS:
        connection.execute(trigger)


def _text(job_id: bytes | None) -> str:
    return (job_id or b"").decode("utf-8", "replace")
