"""Settings of groups in SQL. Pure functions of a connection."""

import sqlite3

from jobd.store.tables.rows import GroupRow, QueueRow


def load(connection: sqlite3.Connection) -> QueueRow:
    """Returns all settings."""
    rows = connection.execute("SELECT name, most, paused, temporary FROM groups ORDER BY name").fetchall()
    paused = connection.execute("SELECT paused FROM queue").fetchone()
    groups = [
        GroupRow(name=name, limit=most, paused=bool(is_paused), temporary=bool(temporary))
        for name, most, is_paused, temporary in rows
    ]
    return QueueRow(paused=bool(paused and paused[0]), groups=groups)


def put(connection: sqlite3.Connection, group: GroupRow) -> None:
    """Writes the settings of a group."""
    connection.execute(
        "INSERT INTO groups (name, most, paused, temporary) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (name) DO UPDATE SET most = excluded.most, paused = excluded.paused, temporary = excluded.temporary",
        (group.name, group.limit, group.paused, group.temporary),
    )


def remove(connection: sqlite3.Connection, name: str) -> None:
    """Removes the settings of a group."""
    connection.execute("DELETE FROM groups WHERE name = ?", (name,))


def set_paused(connection: sqlite3.Connection, paused: bool) -> None:
    """Pauses or resumes all groups."""
    connection.execute("UPDATE queue SET paused = ?", (paused,))
