"""The settings of groups, also of a database from before a pause could hold running jobs."""

import sqlite3
from contextlib import closing
from pathlib import Path

from jobd.store.sqlite import checks, database
from jobd.store.store import Store
from jobd.store.tables.rows import GroupRow, QueueRow

BEFORE_FREEZES = 8
"""The schema of a database whose pauses hold waiting jobs alone."""


async def test_the_pauses_of_an_older_database_hold_waiting_jobs_alone(tmp_path: Path) -> None:
    path = tmp_path / "jobd.db"
    with closing(sqlite3.connect(path)) as connection:
        checks.register(connection)
        connection.execute(f"PRAGMA application_id = {database.APPLICATION_ID}")
        for number, text in database.migrations():
            if number <= BEFORE_FREEZES:
                connection.executescript(f"{text}; PRAGMA user_version = {number}")
        connection.execute("INSERT INTO groups (name, most, paused) VALUES ('gpu', 2, 1)")
        connection.execute("UPDATE queue SET paused = 1")
        connection.commit()
    store = await Store.open(path)
    try:
        group = GroupRow(name="gpu", limit=2, paused=True, freezes=False)
        assert await store.load_queue() == QueueRow(paused=True, groups=[group], freezes=False)
        group = GroupRow(name="gpu", limit=2, paused=True, freezes=True)
        await store.put_group(group)
        await store.set_queue_paused(True, True)
    finally:
        await store.close()
    store = await Store.open(path)
    try:
        assert await store.load_queue() == QueueRow(paused=True, groups=[group], freezes=True)
    finally:
        await store.close()
