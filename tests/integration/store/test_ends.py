"""The ends of jobs in the store: written with the end of a job, removed with the job, read page by page without a record."""

import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from jobd.store.sqlite import checks, database
from jobd.store.store import Store
from jobd.store.stores import end_store
from jobd.store.tables.jobs import ends
from jobd.store.tables.rows import EndedJob, Ending, Transition
from tests.integration.store.conftest import START, Make

BEFORE_ENDS = 11


def ended(hours: float = 0, image: str = "busybox", **fields: Any) -> dict[str, Any]:
    ending = Ending(reason=None, image=image, group="default", spent=(1, 2, None, 4, None))
    at = START + timedelta(hours=hours)
    return {"status": "completed", "finished_at": at, "live": False, "ending": ending, **fields}


async def all_ends(store: Store, by: str = "", **fields: Any) -> list[EndedJob]:
    found: list[EndedJob] = []

    def take(job: EndedJob) -> bool:
        found.append(job)
        return True

    await store.each_ended(take, by, fields.get("since"))
    return found


async def test_the_end_of_a_job_is_stored_once(store: Store, make: Make) -> None:
    await store.commit(make.claim("u1"))
    assert await all_ends(store) == []
    await store.commit(Transition(make.next("u1", **ended(1, live=True))))
    await store.commit(Transition(make.next("u1", **ended(2))))
    await store.commit(make.claim("u2", **ended(3)))
    found = await all_ends(store, "image")
    assert [job.finished_at - START for job in found] == [timedelta(hours=3), timedelta(hours=1)]
    assert found[0] == EndedJob(
        START + timedelta(hours=3), "completed", None, (1, 2, None, 4, None), ("busybox",)
    )
    assert await store.oldest_end(None) == START + timedelta(hours=1)
    assert await store.oldest_end(START + timedelta(hours=2)) == START + timedelta(hours=3)


async def test_hidden_and_removed_jobs_are_left_out(store: Store, make: Make, path: Path) -> None:
    for n in (1, 2, 3):
        await store.commit(make.claim(f"u{n}", **ended(n)))
    await store.hide("job-1")
    assert [job.finished_at for job in await all_ends(store)] == [START + timedelta(hours=n) for n in (3, 2)]
    assert await store.oldest_end(None) == START + timedelta(hours=2)
    await store.remove_hidden()
    await store.purge("u2")
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM ends").fetchone() == (1,)


async def test_ends_have_the_keys_by_which_they_are_grouped(store: Store, make: Make) -> None:
    await store.commit(make.claim("u1", **ended(1, labels={"team": "a", "k": "v"})))
    await store.commit(make.claim("u2", **ended(2, image="alpine")))
    keys = {
        by: [set(job.keys) for job in await all_ends(store, by)]
        for by in ("image", "group", "label", "label:team")
    }
    assert keys["image"] == [{"alpine"}, {"busybox"}]
    assert keys["group"] == [{"default"}] * 2
    assert keys["label"] == [set(), {"team=a", "k=v"}]
    assert keys["label:team"] == [set(), {"a"}]


async def test_pages_lose_and_repeat_no_job(
    store: Store, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(end_store, "PAGE_ROWS", 2)
    for n in range(1, 8):
        await store.commit(make.claim(f"u{n}", **ended(n // 3, image=f"i{n}")))
    assert [job.keys[0] for job in await all_ends(store, "image")] == [f"i{n}" for n in range(7, 0, -1)]
    taken: list[EndedJob] = []

    def take_one(job: EndedJob) -> bool:
        taken.append(job)
        return False

    await store.each_ended(take_one, "", None)
    assert len(taken) == 1, "the first refusal ends the reading"


async def test_a_damaged_value_is_left_out(store: Store, make: Make, path: Path) -> None:
    await store.commit(make.claim("u1", **ended(1)))
    await store.commit(make.claim("u2", **ended(2)))
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE ends SET queued = 'x', image = x'ff' WHERE job = 1")
        connection.execute("UPDATE ends SET finished_at = 'never' WHERE job = 2")
    (found,) = await all_ends(store, "image")
    assert (found.spent[0], found.keys) == (None, ())


def test_reading_uses_the_indexes(tmp_path: Path) -> None:
    with closing(database.prepare(tmp_path / "jobd.db")) as connection:
        said: list[str] = []
        connection.set_trace_callback(said.append)
        ends.page(connection, lambda _: True, "image", START, ends.NEWEST, 10)
        ends.oldest(connection, None)
        for statement in said:
            plan = " ".join(row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}"))
            assert "SEARCH ends USING" in plan
            assert "COVERING INDEX jobs_listed" in plan, plan
            assert "TEMP B-TREE" not in plan


async def test_jobs_that_ended_before_are_counted_without_times(path: Path) -> None:
    records = {
        1: b'{"form":2,"image":"busybox","scheduling":{"group":"gpu"},"attempt":{"state":{"failure":{"reason":"exit"}}}}',
        2: b'{"image":"alpine","reason":"oom"}',
        3: b"\xff{damaged",
    }
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA application_id = {database.APPLICATION_ID}")
        checks.register(connection)
        for number, text in database.migrations():
            if number <= BEFORE_ENDS:
                connection.executescript(f"{text}; PRAGMA user_version = {number}")
        for n, record in records.items():
            connection.execute(
                "INSERT INTO jobs (uid, id, status, created_at, finished_at, live, hidden, holds_id, labels, record)"
                " VALUES (?, ?, 'failed', 1, ?, 0, 0, 0, '{}', ?)",
                (f"u{n}", f"j{n}", n, record),
            )
        connection.commit()
    store = await Store.open(path)
    try:
        found = await all_ends(store, "image")
        assert [(job.reason, job.keys) for job in found] == [
            (None, ("",)),
            ("oom", ("alpine",)),
            ("exit", ("busybox",)),
        ]
        assert {job.spent for job in found} == {(None,) * 5}
        assert [job.keys for job in await all_ends(store, "group")] == [("default",), ("default",), ("gpu",)]
    finally:
        await store.close()
