"""Sets in the store: their numbers, pages and jobs; a set ends with its last job; other jobs cost nothing."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

from jobd.store.sqlite import database
from jobd.store.store import Store
from jobd.store.tables.jobs import jobs, listing, sets
from jobd.store.tables.rows import Transition
from tests.integration.store.conftest import START, Make


async def test_the_numbers_of_a_set_follow_its_jobs(store: Store, make: Make) -> None:
    assert await store.get_set("s") is None
    for n in range(1, 5):
        await store.commit(make.claim(f"u{n}", set_name="s", waiting=True))
    await store.commit(make.claim("u9", waiting=True))
    found = await store.get_set("s")
    assert found is not None
    assert (found.total, found.waiting, found.running) == (4, 4, 0)
    end: dict[str, Any] = {"set_name": "s", "finished_at": START + timedelta(hours=1)}
    for uid, fields in {
        "u1": {"set_name": "s", "status": "running"},
        "u2": {"status": "completed", **end},
        "u3": {"status": "failed", **end},
        "u4": {"status": "cancelled", **end},
    }.items():
        await store.commit(Transition(make.next(uid, **fields)))
    found = await store.get_set("s")
    assert found is not None
    assert (found.total, found.waiting, found.running) == (4, 0, 1)
    assert (found.completed, found.failed, found.cancelled) == (1, 1, 1)
    assert (found.created_at, found.finished_at) == (START, None)
    await store.commit(Transition(make.next("u1", status="completed", **end)))
    found = await store.get_set("s")
    assert found is not None
    assert found.finished_at == START + timedelta(hours=1)


async def test_sets_are_listed_newest_first_page_by_page(store: Store, make: Make) -> None:
    for n in range(1, 8):
        await store.commit(make.claim(f"u{n}", set_name=f"s{n}", live=n != 4, finished_at=START))
    await store.commit(make.claim("u8", set_name="s1"))
    await store.hide("job-4")
    first = await store.list_sets(None, 3)
    assert ([one.name for one in first.sets], first.cursor is None) == (["s7", "s6", "s5"], False)
    second = await store.list_sets(first.cursor, 3)
    assert [one.name for one in second.sets] == ["s3", "s2"], "the jobs of s4 are deleted"
    third = await store.list_sets(second.cursor, 3)
    assert ([(one.name, one.total) for one in third.sets], third.cursor) == ([("s1", 2)], None)


async def test_the_name_of_a_set_is_removed_with_its_last_job(store: Store, make: Make, path: Path) -> None:
    for uid in ("u1", "u2"):
        await store.commit(make.claim(uid, set_name="s", live=False, finished_at=START))

    def names() -> list[str]:
        with closing(sqlite3.connect(path)) as connection:
            return [row[0] for row in connection.execute("SELECT name FROM sets")]

    assert await store.purge("u1")
    assert names() == ["s"]
    assert await store.purge("u2")
    assert names() == []
    assert await store.get_set("s") is None


async def test_a_damaged_job_of_a_set_is_counted_as_such(store: Store, make: Make, path: Path) -> None:
    for uid in ("u1", "u2"):
        await store.commit(make.claim(uid, set_name="s", status="running"))
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE jobs SET record = x'00', version = version + 1 WHERE uid = 'u1'")
    while await store.scan_for_damage():
        pass
    found = await store.get_set("s")
    assert found is not None
    assert (found.total, found.running, found.unreadable) == (2, 1, 1)


async def test_waiting_jobs_are_cancelled_before_running_ones_and_newer_before_older(
    store: Store, make: Make
) -> None:
    for n in range(1, 5):
        await store.commit(make.claim(f"u{n}", set_name="s", waiting=n % 2 == 0))
    await store.commit(make.claim("u5", set_name="s", finished_at=START, status="failed"))
    assert await store.active_in_set("s") == ["u4", "u2", "u3", "u1"]


def test_the_history_of_a_set_costs_the_same_after_a_week_of_other_jobs(path: Path, make: Make) -> None:
    """The steps of SQLite's machine are counted: a time would depend on the machine."""
    database.prepare(path).close()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN")
        for n in range(20):
            jobs.insert(connection, make.job(f"u{n}", set_name="old", status="completed"), 1)

        def costs() -> list[int]:
            return [
                _steps(connection, lambda: sets.load(connection, "old")),
                _steps(connection, lambda: sets.active(connection, "old")),
                _steps(connection, lambda: _page(connection, set_name="old")),
                _steps(connection, lambda: _page(connection, set_name="old", statuses=frozenset({"failed"}))),
            ]

        before = costs()
        for n in range(20, 10_020):
            jobs.insert(connection, make.job(f"u{n}", set_name=f"s{n % 7}", status="completed"), 1)
        after = costs()
        assert all(late <= 2 * early for late, early in zip(after, before, strict=True)), (before, after)
        assert len(_page(connection, set_name="old").jobs) == 20
        connection.execute("COMMIT")


def _page(connection: sqlite3.Connection, **query: Any) -> Any:
    plain: dict[str, Any] = {
        "statuses": None,
        "labels": {},
        "owner": None,
        "since": None,
        "prefix": "",
        "cursor": None,
        "limit": 100,
        "max_bytes": 1 << 20,
    }
    return listing.page(connection, **plain | query)


def _steps(connection: sqlite3.Connection, read: Callable[[], object]) -> int:
    count = 0

    def step() -> int:
        nonlocal count
        count += 1
        return 0

    connection.set_progress_handler(step, 10)
    read()
    connection.set_progress_handler(None, 0)
    return count
