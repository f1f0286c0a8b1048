"""Settings of groups in SQL. Pure functions of a connection."""

import sqlite3

from jobd.store.tables.rows import GroupRow, QueueRow


def load(connection: sqlite3.Connection) -> QueueRow:
    """Returns all settings."""
    rows = connection.execute(
        "SELECT name, most, paused, freezes, temporary FROM groups ORDER BY name"
    ).fetchall()
    paused, freezes = connection.execute("SELECT paused, freezes FROM queue").fetchone() or (0, 0)
    groups = [
        GroupRow(name=name, limit=most, paused=bool(is_paused), freezes=bool(too), temporary=bool(temporary))
        for name, most, is_paused, too, temporary in rows
    ]
    return QueueRow(paused=bool(paused), groups=groups, freezes=bool(freezes))


def put(connection: sqlite3.Connection, group: GroupRow) -> None:
    """Writes the settings of a group."""
    connection.execute(
        "INSERT INTO groups (name, most, paused, freezes, temporary) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (name) DO UPDATE SET most = excluded.most, paused = excluded.paused, freezes = excluded.freezes,"
        " temporary = excluded.temporary",
        (group.name, group.limit, group.paused, group.freezes, group.temporary),
    )


def remove(connection: sqlite3.Connection, name: str) -> None:
    """Removes the settings of a group."""
    connection.execute("DELETE FROM groups WHERE name = ?", (name,))


def set_paused(connection: sqlite3.Connection, paused: bool, freezes: bool) -> None:
    """Pauses or resumes all groups."""
    connection.execute("UPDATE queue SET paused = ?, freezes = ?", (paused, freezes))
